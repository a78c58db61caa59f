//! Looking into macro calls, whose contents `syn` leaves as tokens.

use proc_macro2::{LineColumn, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, Token};

/// The arguments of a macro call, if they are expressions: `f!(a, b)`, `f![a; n]` and `f! { a; b }`.
pub(super) fn expressions(call: &syn::Macro) -> Vec<Expr> {
    let list = Punctuated::<Expr, Token![,]>::parse_terminated;
    if let Ok(list) = list.parse2(call.tokens.clone()) {
        return list.into_iter().collect();
    }
    let repeated = |input: ParseStream<'_>| {
        let expr: Expr = input.parse()?;
        input.parse::<Token![;]>()?;
        Ok(vec![expr, input.parse()?])
    };
    if let Ok(pair) = Parser::parse2(repeated, call.tokens.clone()) {
        return pair;
    }
    let block = syn::Block::parse_within.parse2(call.tokens.clone()).unwrap_or_default();
    let of_statement = |statement| match statement {
        syn::Stmt::Expr(expr, _) => Some(expr),
        syn::Stmt::Local(local) => local.init.map(|init| *init.expr),
        _ => None,
    };
    block.into_iter().filter_map(of_statement).collect()
}

/// The name after the last `static`, `static ref`, `static mut` or `const` before the token at this place, if that
/// token is among these: what `lazy_static!`, `thread_local!` and their like declare.
pub(super) fn static_before(tokens: &TokenStream, at: LineColumn) -> Option<String> {
    let mut flat = Vec::new();
    flatten(tokens.clone(), &mut flat);
    let position = flat.iter().position(|(_, start)| *start == at)?;
    let words: Vec<_> = flat[..position].iter().map(|(word, _)| word.as_str()).collect();
    let keyword = words.iter().rposition(|word| matches!(*word, "static"))?;
    let name = words[keyword + 1..].iter().find(|word| !matches!(**word, "ref" | "mut"))?;
    Some((*name).to_owned())
}

fn flatten(tokens: TokenStream, into: &mut Vec<(String, LineColumn)>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => flatten(group.stream(), into),
            other => into.push((other.to_string(), other.span().start())),
        }
    }
}
