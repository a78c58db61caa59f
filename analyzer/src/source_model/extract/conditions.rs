//! `if`, `match` and loops, and how long what they look at lives.

use syn::{Expr as Syntax, Pat};

use super::Edition;
use super::body::Walk;
use crate::source_model::facts::{Expr, ExprId, Fate, Op};

impl Walk<'_> {
    pub(super) fn branch(&mut self, branch: &syn::ExprIf, fate: Fate) -> ExprId {
        let chain = links(&branch.cond);
        let has_let = chain.iter().any(|link| matches!(link, Syntax::Let(_)));
        if !has_let {
            let condition = self.temps(|walk| walk.expr(&branch.cond, Fate::Temporary));
            return self.alternatives(branch, (&[], Some(condition)), fate, false);
        }
        if self.builder.edition >= Edition::Year2024 {
            return self.temps(|walk| {
                let matched = walk.links(&chain);
                let condition = matched.first().map(|(_, value)| *value);
                walk.alternatives(branch, (&matched, condition), fate, true)
            });
        }
        let matched = self.links(&chain);
        let condition = matched.first().map(|(_, value)| *value);
        self.alternatives(branch, (&matched, condition), fate, false)
    }

    /// The links of a condition; gives the patterns and the values that they must match.
    fn links<'p>(&mut self, chain: &[&'p Syntax]) -> Vec<(&'p Pat, ExprId)> {
        let mut matched = Vec::new();
        for link in chain {
            match link {
                Syntax::Let(link) => {
                    let value = self.expr(&link.expr, Fate::Temporary);
                    matched.push((&*link.pat, value));
                }
                other => {
                    self.temps(|walk| walk.expr(other, Fate::Temporary));
                }
            }
        }
        matched
    }

    fn alternatives(
        &mut self,
        branch: &syn::ExprIf,
        (matched, condition): (&[(&Pat, ExprId)], Option<ExprId>),
        fate: Fate,
        ends_before_else: bool,
    ) -> ExprId {
        let mut values = Vec::new();
        let then = self.collect(|walk| {
            let value = walk.scope(|walk| {
                for (pattern, value) in matched {
                    walk.bind(pattern, *value);
                }
                walk.temps(|walk| walk.block(&branch.then_branch, fate))
            });
            values.push(value);
        });
        let otherwise = self.collect(|walk| {
            for (_, value) in matched {
                walk.push(Op::Refuted(*value));
            }
            if ends_before_else {
                walk.push(Op::EndTemps);
            }
            if let Some((_, other)) = &branch.else_branch {
                values.push(walk.temps(|walk| walk.expr(other, fate)));
            }
        });
        self.push(Op::Branch(condition, vec![then, otherwise]));
        self.add(Expr::Many(values))
    }

    pub(super) fn matched(&mut self, matched: &syn::ExprMatch, fate: Fate) -> ExprId {
        let value = self.expr(&matched.expr, Fate::Temporary);
        let mut values = Vec::new();
        let mut arms = Vec::new();
        for arm in &matched.arms {
            arms.push(self.collect(|walk| {
                let given = walk.scope(|walk| {
                    if !binds_success(&arm.pat) {
                        walk.push(Op::Refuted(value));
                    }
                    walk.bind(&arm.pat, value);
                    if let Some((_, guard)) = &arm.guard {
                        walk.temps(|walk| walk.expr(guard, Fate::Temporary));
                    }
                    walk.temps(|walk| walk.expr(&arm.body, fate))
                });
                values.push(given);
            }));
        }
        self.push(Op::Branch(Some(value), arms));
        self.add(Expr::Many(values))
    }

    pub(super) fn while_loop(&mut self, repeated: &syn::ExprWhile) -> ExprId {
        let chain = links(&repeated.cond);
        let has_let = chain.iter().any(|link| matches!(link, Syntax::Let(_)));
        let body = self.collect(|walk| {
            if !has_let {
                walk.temps(|walk| walk.expr(&repeated.cond, Fate::Temporary));
                walk.temps(|walk| walk.block(&repeated.body, Fate::Temporary));
                return;
            }
            walk.temps(|walk| {
                let matched = walk.links(&chain);
                let again = walk.collect(|walk| {
                    walk.scope(|walk| {
                        for (pattern, value) in &matched {
                            walk.bind(pattern, *value);
                        }
                        walk.temps(|walk| walk.block(&repeated.body, Fate::Temporary))
                    });
                });
                let mut end: Vec<Op> = matched.iter().map(|(_, value)| Op::Refuted(*value)).collect();
                end.extend([Op::EndTemps, Op::Break]);
                walk.push(Op::Branch(None, vec![again, end]));
            });
        });
        self.push(Op::Loop(body));
        self.add(Expr::Unknown)
    }

    pub(super) fn for_loop(&mut self, repeated: &syn::ExprForLoop) -> ExprId {
        let value = self.expr(&repeated.expr, Fate::Temporary);
        let element = self.add(Expr::Index(value, value));
        let body = self.collect(|walk| {
            walk.scope(|walk| {
                for id in walk.names_of(&repeated.pat) {
                    walk.function.locals[id as usize].part_of = Some(element);
                    walk.show(id);
                }
                walk.temps(|walk| walk.block(&repeated.body, Fate::Temporary))
            });
        });
        self.push(Op::Loop(body));
        self.add(Expr::Unknown)
    }
}

/// The links of `a && let b = c && d`.
fn links(condition: &Syntax) -> Vec<&Syntax> {
    let mut found = Vec::new();
    let mut rest = condition;
    while let Syntax::Binary(binary) = rest {
        if !matches!(binary.op, syn::BinOp::And(_)) {
            break;
        }
        found.push(&*binary.right);
        rest = &binary.left;
    }
    found.push(rest);
    found.reverse();
    found
}

/// Whether a pattern can be that of a lock which was got.
fn binds_success(pattern: &Pat) -> bool {
    match pattern {
        Pat::TupleStruct(inner) => {
            let name = inner.path.segments.last().map(|last| last.ident.to_string());
            matches!(name.as_deref(), Some("Ok" | "Some"))
        }
        Pat::Ident(ident) => !ident.ident.to_string().starts_with(char::is_uppercase),
        Pat::Reference(inner) => binds_success(&inner.pat),
        Pat::Or(inner) => inner.cases.iter().any(binds_success),
        _ => false,
    }
}
