//! Rewrites `parking_lot` where it goes past `lock_api`: its condvar gives up and takes back the raw
//! lock by itself, and its once is a byte of its own.
//!
//! The condvar's three inner functions get bodies of ours. Other than the originals they never move
//! a waiter over to the mutex's queue: a woken thread takes the mutex by the ordinary way, so that
//! it is seen waiting for the mutex and no longer for the notify.
//!
//! Invariant: everything that is replaced has exactly the signature that the replacement was written
//! for; else the crate is left alone ([`Unknown`]). Its locks are then not followed any further than
//! the first wait (`lock_api`'s `raw()` was called).

use std::path::Path;

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{File, ImplItem, ImplItemFn, Item};

use super::edits::{Edits, addition, one_line};
use super::{SourceFile, Unknown};

/// Bodies of the condvar's functions: name, signature without white space, body.
const BODIES: [(&str, &str, &str); 3] = [
    ("notify_one", "fnnotify_one(&self)->bool", include_str!("tails/notify_one.rs")),
    ("notify_all", "fnnotify_all(&self)->usize", include_str!("tails/notify_all.rs")),
    (
        "wait_until_internal",
        "fnwait_until_internal(&self,mutex:&RawMutex,timeout:Option<Instant>)->WaitTimeoutResult",
        include_str!("tails/wait.rs"),
    ),
];

/// Functions that [`BODIES`] leave without a caller.
const UNUSED: [&str; 2] = ["notify_one_slow", "notify_all_slow"];

/// Added to the raw condvar that the crate has since 0.13, and to its implementations of the traits.
const RAW_CONDVAR: &str = include_str!("tails/raw_condvar.rs");
const RAW_CONDVAR_UNTIMED: &str = include_str!("tails/raw_condvar_untimed.rs");
const RAW_CONDVAR_TIMED: &str = include_str!("tails/raw_condvar_timed.rs");

/// Found a once complete.
const PASS: &str =
    " crate::lock_api::__snag::once_pass(self as *const _ as usize, ::core::panic::Location::caller());";

/// Added to a once that can be waited for.
const ONCE_WAIT: &str = include_str!("tails/once_wait.rs");

/// Added to the once: takes the place of `call_once_slow`, which goes on under another name.
const ONCE: &str = include_str!("tails/once.rs");

/// Rewrites the files of the crate.
///
/// # Errors
/// If they are not as any known `parking_lot` is.
pub fn rewrite(files: &mut [SourceFile]) -> Result<(), Unknown> {
    let mut found = 0;
    let since_0_13 = files.iter().any(|file| file.path == Path::new("raw_condvar.rs"));
    for file in files {
        let rewrite_file: fn(&File, &str) -> Result<String, Unknown> = match file.path.to_str() {
            Some("condvar.rs") if !since_0_13 => condvar,
            Some("raw_condvar.rs") => raw_condvar,
            Some("once.rs") => once,
            Some("mutex.rs" | "rwlock.rs" | "remutex.rs" | "fair_mutex.rs") => constructors,
            _ => continue,
        };
        let syntax = syn::parse_file(&file.text).map_err(|_| Unknown("a file that does not parse"))?;
        file.text = rewrite_file(&syntax, &file.text)?;
        found += 1;
    }
    if found < 3 { Err(Unknown("no condvar, once or mutex where they used to be")) } else { Ok(()) }
}

/// The methods of a type, those of its traits included.
fn methods<'a>(file: &'a File, of: &'a str) -> impl Iterator<Item = &'a ImplItemFn> {
    let of_type = move |item: &'a Item| match item {
        Item::Impl(item) if matches!(&*item.self_ty, syn::Type::Path(path) if path.path.is_ident(of)) => {
            Some(item)
        }
        _ => None,
    };
    file.items.iter().filter_map(of_type).flat_map(|item| &item.items).filter_map(|item| match item {
        ImplItem::Fn(function) => Some(function),
        _ => None,
    })
}

/// The source text of a span without white space.
fn squeezed(source: &str, span: proc_macro2::Span) -> String {
    source[span.byte_range()].split_whitespace().collect()
}

fn signature(source: &str, function: &ImplItemFn) -> String {
    squeezed(source, function.sig.span()).replace(",)", ")")
}

fn track_caller(edits: &mut Edits, function: &ImplItemFn) {
    if !function.attrs.iter().any(|attribute| attribute.path().is_ident("track_caller")) {
        let start = match function.vis {
            syn::Visibility::Inherited => function.sig.span(),
            _ => function.vis.span(),
        };
        edits.before(start, "#[track_caller] ");
    }
}

fn condvar(syntax: &File, source: &str) -> Result<String, Unknown> {
    let mut edits = Edits::default();
    let field = "crate::lock_api::__snag::CondvarTag";
    let mut replaced = 0;
    for item in &syntax.items {
        if let Item::Use(item) = item {
            edits.before(item.use_token.span, "#[allow(unused_imports)] ");
        }
        let Item::Struct(item) = item else { continue };
        if item.ident == "Condvar" {
            if squeezed(source, item.fields.span()).trim_end_matches([',', '}'])
                != "{state:AtomicPtr<RawMutex>"
            {
                return Err(Unknown("a condvar with other fields"));
            }
            let syn::Fields::Named(fields) = &item.fields else { unreachable!("it has a field with a name") };
            edits.insert(fields.brace_token.span.open().byte_range().end, format!(" __snag_tag: {field},"));
        }
    }
    for function in methods(syntax, "Condvar") {
        let name = function.sig.ident.to_string();
        track_caller(&mut edits, function);
        if UNUSED.contains(&name.as_str()) {
            edits.before(function.sig.span(), "#[allow(dead_code)] ");
            continue;
        }
        if let Some((_, wanted, body)) = BODIES.iter().find(|(body, ..)| *body == name) {
            if signature(source, function) != *wanted {
                return Err(Unknown("a condvar function with another signature"));
            }
            edits.replace(function.block.span(), one_line(body));
            replaced += 1;
        }
        let mut parts = CondvarParts { edits: &mut edits, tag: field };
        parts.visit_signature(&function.sig);
        if !BODIES.iter().any(|(body, ..)| *body == name) {
            parts.visit_block(&function.block);
        }
    }
    if replaced != BODIES.len() {
        return Err(Unknown("a condvar without the functions that it used to have"));
    }
    Ok(edits.apply(source))
}

/// What changes all over the condvar: its literals, and that waits pass the traced lock on.
struct CondvarParts<'a> {
    edits: &'a mut Edits,
    tag: &'a str,
}

impl<'ast> Visit<'ast> for CondvarParts<'_> {
    fn visit_expr_struct(&mut self, literal: &'ast syn::ExprStruct) {
        if literal.path.is_ident("Condvar") || literal.path.is_ident("Self") {
            let start = literal.brace_token.span.open().byte_range().end;
            self.edits.insert(start, format!(" __snag_tag: {}::new(),", self.tag));
        }
        visit::visit_expr_struct(self, literal);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if call.method == "raw" {
            self.edits.replace(call.method.span(), "__snag_traced");
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_type_reference(&mut self, reference: &'ast syn::TypeReference) {
        if matches!(&*reference.elem, syn::Type::Path(path) if path.path.is_ident("RawMutex")) {
            self.edits.replace(reference.elem.span(), "crate::lock_api::__snag::Traced<RawMutex>");
        }
        visit::visit_type_reference(self, reference);
    }
}

/// Since 0.13: the traits' hidden functions, which `lock_api` was given, get bodies of ours.
fn raw_condvar(syntax: &File, source: &str) -> Result<String, Unknown> {
    let wanted = "fnwait_until_internal(&self,mutex:&RawMutex,timeout:Option<Instant>)->bool";
    let mut edits = Edits::default();
    let mut found = 0;
    for function in methods(syntax, "RawCondvar") {
        found += usize::from(signature(source, function) == wanted);
    }
    for item in &syntax.items {
        match item {
            Item::Struct(item) if item.ident == "RawCondvar" => {
                let fields = squeezed(source, item.fields.span());
                found += usize::from(fields.trim_end_matches([',', '}']) == "{state:AtomicPtr<RawMutex>");
            }
            Item::Impl(item) => {
                let Some((_, path, _)) = &item.trait_ else { continue };
                let Some(of) = path.segments.last() else { continue };
                let added = match of.ident.to_string().as_str() {
                    "RawCondvar" => RAW_CONDVAR_UNTIMED,
                    "RawCondvarTimed" => RAW_CONDVAR_TIMED,
                    _ => continue,
                };
                edits.before(item.brace_token.span.close(), one_line(added));
                found += 1;
            }
            _ => {}
        }
    }
    if found != 4 {
        return Err(Unknown("a raw condvar without the functions that it used to have"));
    }
    Ok(edits.apply(source) + &addition(RAW_CONDVAR))
}

fn once(syntax: &File, source: &str) -> Result<String, Unknown> {
    let mut edits = Edits::default();
    let mut found = 0;
    let mut tail = addition(ONCE);
    for function in methods(syntax, "Once") {
        let name = function.sig.ident.to_string();
        match name.as_str() {
            "call_once_slow" => {
                let wanted = "fncall_once_slow(&self,ignore_poison:bool,f:&mutdynFnMut(OnceState))";
                if signature(source, function) != wanted {
                    return Err(Unknown("a once with another inner function"));
                }
                edits.replace(function.sig.ident.span(), "__snag_call_once_slow");
                found += 1;
            }
            "call_once" | "call_once_force" => {
                let Some(syn::Stmt::Expr(syn::Expr::If(fast), _)) = function.block.stmts.first() else {
                    return Err(Unknown("a once without its fast path"));
                };
                let start = fast.then_branch.brace_token.span.open().byte_range().end;
                edits.insert(start, PASS);
                found += 1;
            }
            "wait_slow" if signature(source, function) == "fnwait_slow(&self,ignore_poison:bool)" => {
                edits.replace(function.sig.ident.span(), "__snag_wait_slow");
                tail.push_str(&addition(ONCE_WAIT));
            }
            "wait_slow" => return Err(Unknown("a once that is waited for in another way")),
            "wait" | "wait_force" => {
                let start = function.block.brace_token.span.open().byte_range().end;
                edits.insert(start, format!(" if self.is_completed() {{ {PASS} return; }}"));
            }
            _ => {}
        }
        track_caller(&mut edits, function);
    }
    if found != 3 {
        return Err(Unknown("a once without the functions that it used to have"));
    }
    Ok(edits.apply(source) + &tail)
}

/// `const_mutex` and the like: the lock is born where they are called.
fn constructors(syntax: &File, source: &str) -> Result<String, Unknown> {
    let mut edits = Edits::default();
    for item in &syntax.items {
        let Item::Fn(function) = item else { continue };
        if function.sig.constness.is_some() {
            edits.before(function.vis.span(), "#[track_caller] ");
        }
    }
    Ok(edits.apply(source))
}
