//! Modules, types, statics and functions.

use syn::spanned::Spanned as _;
use syn::{Fields, Generics, ImplItem, Item, TraitItem, UseTree, Visibility};

use super::body::Walk;
use super::written::may_be_thread_safe;
use super::{Builder, Condition, condition, macros, pos};
use crate::source_model::facts::{Function, Module, Static, Sym, Type, TypeDef, UnsafeImpl, Use};

/// A function's surroundings.
#[derive(Clone, Default)]
pub(super) struct Around {
    pub(super) self_type: Option<Type>,
    pub(super) of_trait: bool,
    pub(super) test: bool,
}

impl Builder {
    pub(super) fn items(&mut self, items: &[Item], module: u32) {
        for item in items {
            self.item(item, module);
        }
    }

    pub(super) fn item(&mut self, item: &Item, module: u32) {
        match item {
            Item::Mod(item) => self.module(item, module),
            Item::Use(item) => self.used(&item.tree, &mut Vec::new(), module),
            Item::Struct(item) => {
                let fields = self.fields(&item.fields);
                self.type_def(&item.ident, &item.generics, fields, None, module);
            }
            Item::Union(item) => {
                let fields = self.fields(&Fields::Named(item.fields.clone()));
                self.type_def(&item.ident, &item.generics, fields, None, module);
            }
            Item::Enum(item) => {
                let mut fields = Vec::new();
                for variant in &item.variants {
                    fields.extend(self.fields(&variant.fields));
                }
                self.type_def(&item.ident, &item.generics, fields, None, module);
            }
            Item::Type(item) => {
                let alias = self.ty(&item.ty);
                self.type_def(&item.ident, &item.generics, Vec::new(), Some(alias), module);
            }
            Item::Static(item) => {
                let ty = self.ty(&item.ty);
                let mutable = matches!(item.mutability, syn::StaticMutability::Mut(_));
                self.static_item(&item.ident, ty, mutable, false, Some(&item.expr), module);
            }
            Item::Fn(item) => {
                if condition(&item.attrs) == Condition::Other && false_for_all(&item.attrs) {
                    return;
                }
                let around = Around { test: self.in_test(module, &item.attrs), ..Around::default() };
                let public = !matches!(item.vis, Visibility::Inherited);
                self.function(&item.sig, &item.block, &around, module, public);
            }
            Item::Impl(item) => self.implementation(item, module),
            Item::Trait(item) => self.trait_item(item, module),
            Item::Macro(item) => self.item_macro(&item.mac, module),
            _ => {}
        }
    }

    fn in_test(&self, module: u32, attributes: &[syn::Attribute]) -> bool {
        let is_test = |attribute: &syn::Attribute| {
            attribute.path().segments.last().is_some_and(|last| last.ident == "test" || last.ident == "bench")
        };
        self.facts.modules[module as usize].test
            || condition(attributes) == Condition::Test
            || attributes.iter().any(is_test)
    }

    fn module(&mut self, item: &syn::ItemMod, parent: u32) {
        let test = self.in_test(parent, &item.attrs);
        let name = self.ident(&item.ident);
        let path = item.attrs.iter().find_map(|attribute| match &attribute.meta {
            syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
                syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
                _ => None,
            },
            _ => None,
        });
        let inline = item.content.is_some();
        let module = self.new_module(Module { parent, name, path, inline, block: false, test });
        if let Some((_, items)) = &item.content {
            self.items(items, module);
        }
    }

    pub(super) fn new_module(&mut self, module: Module) -> u32 {
        self.facts.modules.push(module);
        u32::try_from(self.facts.modules.len() - 1).expect("a file has less modules than bytes")
    }

    fn used(&mut self, tree: &UseTree, prefix: &mut Vec<Sym>, module: u32) {
        match tree {
            UseTree::Path(path) => {
                let word = self.ident(&path.ident);
                prefix.push(word);
                self.used(&path.tree, prefix, module);
                prefix.pop();
            }
            UseTree::Name(name) => {
                let word = self.ident(&name.ident);
                self.add_use(prefix, word, Some(word), module);
            }
            UseTree::Rename(rename) => {
                let (word, alias) = (self.ident(&rename.ident), self.ident(&rename.rename));
                self.add_use(prefix, word, Some(alias), module);
            }
            UseTree::Glob(_) => {
                let path = prefix.clone();
                self.facts.uses.push(Use { module, path, alias: None });
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.used(tree, prefix, module);
                }
            }
        }
    }

    fn add_use(&mut self, prefix: &[Sym], word: Sym, alias: Option<Sym>, module: u32) {
        let mut path = prefix.to_vec();
        // `use a::b::{self, c}`
        if self.facts.name(word) == "self" && !prefix.is_empty() {
            let alias = alias.filter(|&alias| alias != word).or(prefix.last().copied());
            self.facts.uses.push(Use { module, path, alias });
            return;
        }
        path.push(word);
        self.facts.uses.push(Use { module, path, alias });
    }

    fn fields(&mut self, fields: &Fields) -> Vec<(Sym, Type)> {
        let mut named = Vec::new();
        for (index, field) in fields.iter().enumerate() {
            let name = match &field.ident {
                Some(ident) => self.ident(ident),
                None => self.word(&index.to_string()),
            };
            named.push((name, self.ty(&field.ty)));
        }
        named
    }

    fn type_def(
        &mut self,
        ident: &syn::Ident,
        generics: &Generics,
        fields: Vec<(Sym, Type)>,
        alias: Option<Type>,
        module: u32,
    ) {
        let name = self.ident(ident);
        let params = self.params(generics);
        let bounded = params.iter().filter(|(_, bounded)| *bounded).map(|(name, _)| *name).collect();
        let generics = params.iter().map(|(name, _)| *name).collect();
        self.facts.types.push(TypeDef {
            module,
            name,
            generics,
            bounded,
            fields,
            alias,
            at: pos(ident.span()),
        });
    }

    /// Type parameters, with whether a bound may make them thread-safe.
    fn params(&mut self, generics: &Generics) -> Vec<(Sym, bool)> {
        let mut params = Vec::new();
        for param in generics.type_params() {
            let mut bounded = may_be_thread_safe(&param.bounds);
            for predicate in generics.where_clause.iter().flat_map(|clause| &clause.predicates) {
                let syn::WherePredicate::Type(predicate) = predicate else { continue };
                bounded |=
                    mentions(&predicate.bounded_ty, &param.ident) && may_be_thread_safe(&predicate.bounds);
            }
            params.push((self.ident(&param.ident), bounded));
        }
        params
    }

    pub(super) fn static_item(
        &mut self,
        ident: &syn::Ident,
        ty: Type,
        mutable: bool,
        thread_local: bool,
        init: Option<&syn::Expr>,
        module: u32,
    ) {
        let name = self.ident(ident);
        let test = self.facts.modules[module as usize].test;
        let init = init.and_then(|init| {
            let mut function =
                Function { module, inner: module, name, test, at: pos(ident.span()), ..Function::default() };
            let mut walk = Walk::new(self, &mut function, module);
            walk.whole_body(|walk| walk.value(init));
            walk.finish();
            // `init` is found by its static, not by name.
            function.name = self.word("");
            (!function.body.is_empty()).then(|| self.add_function(function))
        });
        self.facts.statics.push(Static {
            module,
            name,
            ty,
            mutable,
            thread_local,
            init,
            at: pos(ident.span()),
        });
    }

    pub(super) fn add_function(&mut self, function: Function) -> u32 {
        self.facts.functions.push(function);
        u32::try_from(self.facts.functions.len() - 1).expect("a file has less functions than bytes")
    }

    fn implementation(&mut self, item: &syn::ItemImpl, module: u32) {
        let self_type = self.ty(&item.self_ty);
        if let Some((None, path, _)) = &item.trait_ {
            let name = path.segments.last().map(|last| last.ident.to_string());
            if let (Some("Send" | "Sync"), Some(_)) = (name.as_deref(), &item.unsafety) {
                let params = self.params(&item.generics);
                let send = name.as_deref() == Some("Send");
                let at = pos(item.unsafety.span());
                self.facts.unsafe_impls.push(UnsafeImpl { module, send, of: self_type.clone(), params, at });
            }
        }
        let test = self.in_test(module, &item.attrs);
        for inner in &item.items {
            if let ImplItem::Fn(method) = inner {
                let test = test || self.in_test(module, &method.attrs);
                let around =
                    Around { self_type: Some(self_type.clone()), of_trait: item.trait_.is_some(), test };
                let public = !matches!(method.vis, Visibility::Inherited) || item.trait_.is_some();
                self.function(&method.sig, &method.block, &around, module, public);
            }
        }
    }

    fn trait_item(&mut self, item: &syn::ItemTrait, module: u32) {
        let test = self.in_test(module, &item.attrs);
        for inner in &item.items {
            if let TraitItem::Fn(syn::TraitItemFn { sig, default: Some(block), .. }) = inner {
                let around = Around { self_type: Some(Type::Unknown), of_trait: true, test };
                self.function(sig, block, &around, module, true);
            }
        }
    }

    pub(super) fn function(
        &mut self,
        sig: &syn::Signature,
        block: &syn::Block,
        around: &Around,
        module: u32,
        public: bool,
    ) {
        let inner = if block.stmts.iter().any(|stmt| matches!(stmt, syn::Stmt::Item(_))) {
            let name = self.word("");
            let block =
                Module { parent: module, name, inline: true, block: true, test: around.test, path: None };
            self.new_module(block)
        } else {
            module
        };
        let mut function = Function {
            module,
            inner,
            name: self.ident(&sig.ident),
            self_type: around.self_type.clone(),
            of_trait: around.of_trait,
            exclusive_self: sig.receiver().is_some_and(|receiver| {
                receiver.mutability.is_some()
                    || (receiver.reference.is_none() && receiver.colon_token.is_none())
            }),
            is_async: sig.asyncness.is_some(),
            test: around.test,
            public,
            returns: self.returned(&sig.output),
            at: pos(sig.ident.span()),
            ..Function::default()
        };
        let mut walk = Walk::new(self, &mut function, inner);
        walk.parameters(&sig.inputs);
        walk.whole_body(|walk| walk.function_block(block));
        walk.finish();
        self.add_function(function);
    }

    fn item_macro(&mut self, call: &syn::Macro, module: u32) {
        let name = call.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
        match name.as_str() {
            "macro_rules" => {}
            "lazy_static" | "thread_local" => {
                for declared in macros::statics(call) {
                    let ty = self.ty(&declared.ty);
                    let local = name == "thread_local";
                    self.static_item(&declared.name, ty, false, local, declared.init.as_ref(), module);
                }
            }
            _ => {
                for items in macros::items(call) {
                    self.items(&items, module);
                }
            }
        }
    }
}

/// `#[cfg(any())]` and the like.
fn false_for_all(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        matches!(&attribute.meta, syn::Meta::List(list) if list.path.is_ident("cfg") && list.tokens.to_string().replace(' ', "") == "any()")
    })
}

/// Whether a type has this parameter in it.
fn mentions(ty: &syn::Type, param: &syn::Ident) -> bool {
    struct Finder<'a>(&'a syn::Ident, bool);
    impl<'ast> syn::visit::Visit<'ast> for Finder<'_> {
        fn visit_ident(&mut self, ident: &'ast syn::Ident) {
            self.1 |= ident == self.0;
        }
    }
    let mut finder = Finder(param, false);
    syn::visit::Visit::visit_type(&mut finder, ty);
    finder.1
}
