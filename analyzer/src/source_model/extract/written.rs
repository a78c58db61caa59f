//! Types as they are written.

use syn::{GenericArgument, PathArguments, ReturnType};

use super::Builder;
use crate::source_model::facts::Type;

impl Builder {
    pub(super) fn ty(&mut self, ty: &syn::Type) -> Type {
        match ty {
            syn::Type::Path(path) if path.qself.is_none() => self.type_path(&path.path),
            syn::Type::Reference(reference) => Type::Reference(Box::new(self.ty(&reference.elem))),
            syn::Type::Ptr(pointer) => Type::Pointer(Box::new(self.ty(&pointer.elem))),
            syn::Type::Paren(inner) => self.ty(&inner.elem),
            syn::Type::Group(inner) => self.ty(&inner.elem),
            syn::Type::Slice(slice) => Type::Slice(Box::new(self.ty(&slice.elem))),
            syn::Type::Array(array) => Type::Slice(Box::new(self.ty(&array.elem))),
            syn::Type::Tuple(tuple) => Type::Tuple(tuple.elems.iter().map(|elem| self.ty(elem)).collect()),
            syn::Type::BareFn(_) => Type::Function,
            _ => Type::Unknown,
        }
    }

    /// A path in which a type is named, with the type arguments of its last segment.
    pub(super) fn type_path(&mut self, path: &syn::Path) -> Type {
        let words = self.path(path);
        let arguments = match path.segments.last().map(|last| &last.arguments) {
            Some(PathArguments::AngleBracketed(list)) => {
                let types = list.args.iter().filter_map(|argument| match argument {
                    GenericArgument::Type(ty) => Some(ty),
                    _ => None,
                });
                types.map(|ty| self.ty(ty)).collect()
            }
            Some(PathArguments::Parenthesized(_)) => return Type::Function,
            _ => Vec::new(),
        };
        Type::Path(words, arguments)
    }

    pub(super) fn returned(&mut self, output: &ReturnType) -> Type {
        match output {
            ReturnType::Default => Type::Tuple(Vec::new()),
            ReturnType::Type(_, ty) => self.ty(ty),
        }
    }
}

/// Whether a bound mentions `Send` or `Sync`, or is a trait of the crate's own, which may.
pub(super) fn may_be_thread_safe(
    bounds: &syn::punctuated::Punctuated<syn::TypeParamBound, syn::Token![+]>,
) -> bool {
    /// Traits that say nothing about threads.
    const UNRELATED: [&str; 22] = [
        "Sized",
        "Copy",
        "Clone",
        "Debug",
        "Display",
        "Default",
        "PartialEq",
        "Eq",
        "PartialOrd",
        "Ord",
        "Hash",
        "Fn",
        "FnMut",
        "FnOnce",
        "Iterator",
        "Into",
        "From",
        "AsRef",
        "AsMut",
        "Deref",
        "DerefMut",
        "Unpin",
    ];
    bounds.iter().any(|bound| match bound {
        syn::TypeParamBound::Trait(bound) => {
            let last = bound.path.segments.last();
            !last.is_some_and(|segment| UNRELATED.contains(&segment.ident.to_string().as_str()))
        }
        _ => false,
    })
}
