//! Rewrites the sources of `lock_api`, whatever 0.4 or 0.5 they are, so that its locks record what happens
//! to them: every field that holds a raw lock holds a `Traced` one instead, whose methods have the
//! raw lock's names.
//!
//! Invariants:
//! * Only what is understood is changed. A source with other raw operations than the known ones, or
//!   without the locks that are looked for, is left alone ([`Unknown`]): an operation that is not
//!   seen would leave a lock held for ever.
//! * Guards that can write (those with `DerefMut`) say when they are first read and written; a guard
//!   of readers need not, since a shared acquisition counts as a read.
//! * A place within a closure would be `lock_api`'s own: the caller's is taken before it.

mod bodies;
mod condvar;

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::Visit as _;
use syn::{
    Fields, File, GenericParam, ImplItem, ImplItemFn, Item, ItemImpl, ItemStruct, ItemTrait, TraitItem, Type,
};

use bodies::{CallsInClosures, IntoParts, Literals, mentions_data};

use super::edits::{Edits, addition};
use super::{SourceFile, Unknown};

/// Code that is added to the crate's root, where raw locks say by a truth value that they are held.
const TAIL: &str = include_str!("tails/lock_api.rs");
/// The same where raw locks give their holder a value of a type of their own (since 0.5).
const TAIL_WITH_VALUES: &str = include_str!("tails/lock_api_values.rs");

/// Raw operations that `Traced` has, or that need no event.
const KNOWN: [&str; 44] = [
    "lock",
    "try_lock",
    "unlock",
    "is_locked",
    "unlock_fair",
    "bump",
    "try_lock_for",
    "try_lock_until",
    "lock_shared",
    "try_lock_shared",
    "unlock_shared",
    "lock_exclusive",
    "try_lock_exclusive",
    "unlock_exclusive",
    "is_locked_exclusive",
    "unlock_shared_fair",
    "unlock_exclusive_fair",
    "bump_shared",
    "bump_exclusive",
    "downgrade",
    "try_lock_shared_for",
    "try_lock_shared_until",
    "try_lock_exclusive_for",
    "try_lock_exclusive_until",
    "lock_shared_recursive",
    "try_lock_shared_recursive",
    "try_lock_shared_recursive_for",
    "try_lock_shared_recursive_until",
    "lock_upgradable",
    "try_lock_upgradable",
    "unlock_upgradable",
    "upgrade",
    "try_upgrade",
    "unlock_upgradable_fair",
    "bump_upgradable",
    "downgrade_upgradable",
    "downgrade_to_upgradable",
    "try_lock_upgradable_for",
    "try_lock_upgradable_until",
    "try_upgrade_for",
    "try_upgrade_until",
    // Of `RawReentrantMutex`.
    "lock_internal",
    "is_owned_by_current_thread",
    "nonzero_thread_id",
];

/// Operations that have a twin with `_at` behind the name, which takes the place first.
const WITH_PLACE: [&str; 8] = [
    "lock",
    "try_lock",
    "try_lock_for",
    "try_lock_until",
    "lock_shared",
    "lock_exclusive",
    "lock_upgradable",
    "downgrade_to_upgradable",
];

/// What is known of the crate's types before any function is looked at.
#[derive(Debug, Default)]
struct Types {
    /// Whether raw locks give their holder a value.
    with_values: bool,
    /// Fields that own a raw lock, by struct.
    owners: BTreeMap<String, String>,
    /// How the functions of a guard that can write reach the traced lock, from `self`.
    writers: BTreeMap<String, String>,
}

/// Rewrites the files of the crate; the first is its root.
///
/// # Errors
/// If they are not as any known `lock_api` is.
pub fn rewrite(files: &mut [SourceFile]) -> Result<(), Unknown> {
    let mut parsed = Vec::new();
    for file in files.iter() {
        parsed.push(syn::parse_file(&file.text).map_err(|_| Unknown("a file that does not parse"))?);
    }
    let mut types = Types::default();
    for file in &parsed {
        types.check_traits(file)?;
        types.find_owners(file);
    }
    for wanted in ["Mutex", "RwLock"] {
        if !types.owners.contains_key(wanted) {
            return Err(Unknown("no raw lock in `Mutex` or `RwLock`"));
        }
    }
    for file in &parsed {
        types.find_writers(file);
    }
    for (file, syntax) in files.iter_mut().zip(&parsed) {
        let mut rewriter = Rewriter { types: &types, edits: Edits::default(), unknown: None };
        rewriter.file(syntax);
        if let Some(unknown) = rewriter.unknown {
            return Err(unknown);
        }
        let mut text = rewriter.edits.apply(&file.text);
        text.push_str(&accessors(syntax, &types));
        file.text = text;
    }
    if let Some(root) = files.first_mut() {
        let tail = if types.with_values { TAIL_WITH_VALUES } else { TAIL };
        root.text.push_str(&addition(tail));
    }
    Ok(())
}

/// What is added behind the definitions of the locks, where their fields can be seen.
fn accessors(syntax: &File, types: &Types) -> String {
    let mut text = String::new();
    for item in structs(syntax) {
        let name = item.ident.to_string();
        let Some(field) = types.owners.get(&name) else { continue };
        if name == "RawReentrantMutex" {
            let lock = format!("self.{field}.lock_at(place)");
            let body =
                if types.with_values { format!("Some({lock})") } else { format!("{{ {lock}; true }}") };
            text.push_str(&format!(
                "\n#[allow(warnings)]\nimpl<R: RawMutex, G: GetThreadId> RawReentrantMutex<R, G> {{\n    \
                 #[inline]\n    fn lock_at(&self, place: &'static core::panic::Location<'static>) {{\n        \
                 self.lock_internal(|| {body});\n    }}\n}}\n"
            ));
        } else if name == "Mutex" {
            text.push_str(&format!(
                "\n#[allow(warnings)]\nimpl<R, T: ?Sized> Mutex<R, T> {{\n    #[doc(hidden)]\n    #[inline]\n    \
                 pub fn __snag_traced(&self) -> &crate::__snag::Traced<R> {{ &self.{field} }}\n}}\n"
            ));
        }
    }
    text
}

fn structs(file: &File) -> impl Iterator<Item = &ItemStruct> {
    file.items.iter().filter_map(|item| if let Item::Struct(item) = item { Some(item) } else { None })
}

fn impls(file: &File) -> impl Iterator<Item = &ItemImpl> {
    file.items.iter().filter_map(|item| if let Item::Impl(item) = item { Some(item) } else { None })
}

/// The name of the type that is implemented for.
fn implemented(item: &ItemImpl) -> Option<String> {
    let Type::Path(path) = &*item.self_ty else { return None };
    Some(path.path.segments.last()?.ident.to_string())
}

/// The name of the trait that is implemented.
fn trait_name(item: &ItemImpl) -> Option<String> {
    let (_, path, _) = item.trait_.as_ref()?;
    Some(path.segments.last()?.ident.to_string())
}

/// The first type parameter, if it is called `R`: the raw lock.
fn has_raw_parameter(item: &ItemStruct) -> bool {
    let mut types = item.generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Type(parameter) => Some(parameter.ident == "R"),
        _ => None,
    });
    types.next() == Some(true)
}

fn is_raw(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident("R"))
}

/// The type behind the outermost reference, `Arc` or nothing, by its last name.
fn referred(ty: &Type) -> Option<String> {
    match ty {
        Type::Reference(reference) => referred(&reference.elem),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            if last.ident != "Arc" {
                return Some(last.ident.to_string());
            }
            let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
            match arguments.args.first()? {
                syn::GenericArgument::Type(inner) => referred(inner),
                _ => None,
            }
        }
        _ => None,
    }
}

impl Types {
    /// Every operation of a raw lock must be one that `Traced` has.
    fn check_traits(&mut self, file: &File) -> Result<(), Unknown> {
        let is_raw = |item: &&ItemTrait| {
            let name = item.ident.to_string();
            name.starts_with("RawMutex") || name.starts_with("RawRwLock")
        };
        let traits = file.items.iter().filter_map(|item| match item {
            Item::Trait(item) => Some(item),
            _ => None,
        });
        for item in traits.filter(is_raw).flat_map(|item| &item.items) {
            if let TraitItem::Type(associated) = item {
                self.with_values |= associated.ident == "Guard";
            }
            if let TraitItem::Fn(function) = item
                && !KNOWN.contains(&function.sig.ident.to_string().as_str())
            {
                return Err(Unknown("an operation of raw locks that it does not know"));
            }
        }
        Ok(())
    }

    fn find_owners(&mut self, file: &File) {
        for item in structs(file).filter(|item| has_raw_parameter(item)) {
            for field in &item.fields {
                if let (true, Some(name)) = (is_raw(&field.ty), &field.ident) {
                    self.owners.insert(item.ident.to_string(), name.to_string());
                }
            }
        }
    }

    /// Guards with `DerefMut`, and the way from them to the traced lock.
    fn find_writers(&mut self, file: &File) {
        let with_deref_mut: BTreeSet<String> = impls(file)
            .filter(|item| trait_name(item).as_deref() == Some("DerefMut"))
            .filter_map(implemented)
            .collect();
        for item in structs(file).filter(|item| with_deref_mut.contains(&item.ident.to_string())) {
            for field in &item.fields {
                let Some(name) = &field.ident else { continue };
                match referred(&field.ty) {
                    Some(raw) if raw == "R" => {
                        self.writers.insert(item.ident.to_string(), name.to_string());
                    }
                    Some(lock) if self.owners.contains_key(&lock) => {
                        let path = format!("{name}.{}", self.owners[&lock]);
                        self.writers.insert(item.ident.to_string(), path);
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Collects the edits of one file.
struct Rewriter<'a> {
    types: &'a Types,
    edits: Edits,
    unknown: Option<Unknown>,
}

impl Rewriter<'_> {
    fn file(&mut self, syntax: &File) {
        for item in structs(syntax).filter(|item| has_raw_parameter(item)) {
            self.fields(&item.fields);
        }
        for item in impls(syntax) {
            self.implementation(item);
        }
        if self.types.with_values {
            condvar::rewrite(syntax, &mut self.edits);
        }
    }

    fn fields(&mut self, fields: &Fields) {
        for field in fields {
            match &field.ty {
                ty if is_raw(ty) => self.edits.replace(ty.span(), "crate::__snag::Traced<R>"),
                Type::Reference(reference) if is_raw(&reference.elem) => {
                    self.edits.replace(reference.elem.span(), "crate::__snag::Traced<R>");
                }
                _ => {}
            }
        }
    }

    fn implementation(&mut self, item: &ItemImpl) {
        let of = implemented(item).unwrap_or_default();
        let of_trait = trait_name(item);
        let tracked = match of_trait.as_deref() {
            None | Some("Default" | "From" | "Deref" | "DerefMut") => true,
            Some(_) => false,
        };
        for member in &item.items {
            let mut literals = Literals { rewriter: self, own: &of };
            literals.visit_impl_item(member);
            let ImplItem::Fn(function) = member else { continue };
            if tracked && !function.attrs.iter().any(|attribute| attribute.path().is_ident("track_caller")) {
                self.edits.before(start(function), "#[track_caller] ");
            }
            self.places_in_closures(function);
            self.touches(function, &of, of_trait.as_deref());
            self.hand_outs(function, &of);
        }
    }

    /// Operations within closures get the place of the function's caller.
    fn places_in_closures(&mut self, function: &ImplItemFn) {
        let mut calls = CallsInClosures::default();
        calls.visit_block(&function.block);
        if calls.found.is_empty() {
            return;
        }
        self.edits.insert(
            body_start(function),
            " let __snag_place: &'static ::core::panic::Location<'static> = ::core::panic::Location::caller();",
        );
        for (method, arguments, has_arguments) in calls.found {
            self.edits.after(method, "_at");
            let comma = if has_arguments { ", " } else { "" };
            self.edits.insert(arguments.byte_range().start + 1, format!("__snag_place{comma}"));
        }
    }

    /// A guard that can write says when what it guards is read or written.
    fn touches(&mut self, function: &ImplItemFn, of: &str, of_trait: Option<&str>) {
        let Some(path) = self.types.writers.get(of) else { return };
        let call = match of_trait {
            Some("Deref") => "read",
            Some("DerefMut") => "write",
            Some(_) => return,
            None if mentions_data(function) => "write",
            None => return,
        };
        let this = match function.sig.inputs.first() {
            Some(syn::FnArg::Receiver(_)) => "self",
            Some(syn::FnArg::Typed(_)) => "s",
            None => return,
        };
        self.edits.insert(body_start(function), format!(" {this}.{path}.{call}();"));
    }

    /// Functions that hand out the raw lock, or a pointer to what it protects.
    fn hand_outs(&mut self, function: &ImplItemFn, of: &str) {
        let name = function.sig.ident.to_string();
        let raw = match (self.types.owners.get(of), of) {
            (Some(field), _) => field.clone(),
            (None, "ReentrantMutex") => match self.types.owners.get("RawReentrantMutex") {
                Some(field) => format!("raw.{field}"),
                None => return,
            },
            _ => return,
        };
        match name.as_str() {
            "into_inner_with_raw" => {
                let mut parts = IntoParts { edits: &mut self.edits, path: raw.split('.').collect() };
                parts.visit_block(&function.block);
            }
            "data_ptr" if function.sig.constness.is_some() => {}
            "raw" => self.edits.replace(function.block.span(), format!("{{ self.{raw}.expose() }}")),
            "data_ptr" => self.edits.insert(body_start(function), format!(" self.{raw}.expose_data();")),
            _ => {}
        }
    }
}

/// Where a function begins behind its attributes.
fn start(function: &ImplItemFn) -> Span {
    match function.vis {
        syn::Visibility::Inherited => function.sig.span(),
        _ => function.vis.span(),
    }
}

fn body_start(function: &ImplItemFn) -> usize {
    function.block.brace_token.span.open().byte_range().end
}
