//! Macro calls, whose contents `syn` leaves as tokens.

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, Item, Stmt, Token};

/// What stands in the brackets of a macro call.
pub(super) enum Contents {
    /// Expressions, separated by commas or a `;`.
    Expressions(Vec<Expr>),
    /// Statements.
    Statements(Vec<Stmt>),
    /// Something else, with all names in it.
    Opaque(Vec<String>),
}

pub(super) fn contents(call: &syn::Macro) -> Contents {
    let list = Punctuated::<Argument, Token![,]>::parse_terminated;
    if let Ok(list) = list.parse2(call.tokens.clone()) {
        return Contents::Expressions(list.into_iter().map(|argument| argument.0).collect());
    }
    let repeated = |input: ParseStream<'_>| {
        let expr: Expr = input.parse()?;
        input.parse::<Token![;]>()?;
        Ok(vec![expr, input.parse()?])
    };
    if let Ok(pair) = Parser::parse2(repeated, call.tokens.clone()) {
        return Contents::Expressions(pair);
    }
    // `matches!(value, pattern if guard)`
    let matched = |input: ParseStream<'_>| {
        let expr: Expr = input.parse()?;
        input.parse::<Token![,]>()?;
        syn::Pat::parse_multi_with_leading_vert(input)?;
        if input.peek(Token![if]) {
            input.parse::<Token![if]>()?;
            input.parse::<Expr>()?;
        }
        input.parse::<Option<Token![,]>>()?;
        Ok(vec![expr])
    };
    if let Ok(matched) = Parser::parse2(matched, call.tokens.clone()) {
        return Contents::Expressions(matched);
    }
    match syn::Block::parse_within.parse2(call.tokens.clone()) {
        Ok(statements) => Contents::Statements(statements),
        Err(_) => Contents::Opaque(names(call.tokens.clone())),
    }
}

/// `value`, or `name = value`.
struct Argument(Expr);

impl syn::parse::Parse for Argument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Argument> {
        if input.peek(syn::Ident) && input.peek2(Token![=]) && !input.peek2(Token![==]) {
            input.parse::<syn::Ident>()?;
            input.parse::<Token![=]>()?;
        }
        input.parse().map(Argument)
    }
}

/// All names among the tokens.
pub(super) fn names(tokens: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => found.extend(names(group.stream())),
            TokenTree::Ident(ident) => found.push(ident.to_string()),
            _ => {}
        }
    }
    found
}

/// A static that `lazy_static!` or `thread_local!` declares.
pub(super) struct Declared {
    pub(super) name: syn::Ident,
    pub(super) ty: syn::Type,
    pub(super) init: Option<Expr>,
}

pub(super) fn statics(call: &syn::Macro) -> Vec<Declared> {
    let all = |input: ParseStream<'_>| {
        let mut found = Vec::new();
        while !input.is_empty() {
            input.call(syn::Attribute::parse_outer)?;
            input.parse::<syn::Visibility>()?;
            input.parse::<Token![static]>()?;
            input.parse::<Option<Token![ref]>>()?;
            let name = input.parse()?;
            input.parse::<Token![:]>()?;
            let ty = input.parse()?;
            input.parse::<Token![=]>()?;
            input.parse::<Option<Token![const]>>()?;
            let init = Some(input.parse()?);
            input.parse::<Option<Token![;]>>()?;
            found.push(Declared { name, ty, init });
        }
        Ok(found)
    };
    Parser::parse2(all, call.tokens.clone()).unwrap_or_default()
}

/// Items in a macro such as `cfg_if!` or `cfg_rt!`: those that it has as they are, or in its braces.
pub(super) fn items(call: &syn::Macro) -> Vec<Vec<Item>> {
    if let Ok(file) = syn::parse2::<syn::File>(call.tokens.clone()) {
        return vec![file.items];
    }
    let is_cfg = call.path.segments.last().is_some_and(|last| last.ident.to_string().starts_with("cfg"));
    if !is_cfg {
        return Vec::new();
    }
    let groups = call.tokens.clone().into_iter().filter_map(|token| match token {
        TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::Brace => Some(group.stream()),
        _ => None,
    });
    groups.filter_map(|stream| syn::parse2::<syn::File>(stream).ok()).map(|file| file.items).collect()
}
