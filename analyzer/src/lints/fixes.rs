//! Changes of the source that take a finding away: `let _ =` gets a name, `if` round a condvar's wait becomes `while`.
//!
//! Invariant: a change is offered only where the rule says that it changes nothing else, and where the source has
//! exactly the form that is expected.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use syn::spanned::Spanned as _;
use syn::visit::Visit;

use crate::error::Error;
use crate::finding::{Edit, Finding, Fix, Place, Report};
use crate::source_model::nesting;
use crate::sources::{Source, Sources};

impl Fix {
    /// Whether it takes this finding away.
    #[must_use]
    pub fn is_of(&self, finding: &Finding) -> bool {
        self.rule == finding.rule && finding.locations.first().is_some_and(|first| first.place == self.place)
    }
}

/// The change that takes the finding of this rule at this place away, if there is one.
#[must_use]
pub fn fix(rule: &str, place: &Place, sources: &Sources) -> Option<Fix> {
    let source = sources.get(&place.file)?;
    if nesting::bound(&source.text) > 500 {
        return None;
    }
    let file = syn::parse_file(&source.text).ok()?;
    let offset = source.offset(place.line, place.column)?;
    let mut search = Search { source: &source, offset, rule, found: None };
    search.visit_file(&file);
    let (description, edit) = search.found?;
    Some(Fix {
        rule: rule.to_owned(),
        place: place.clone(),
        description: description.to_owned(),
        edits: vec![edit],
    })
}

struct Search<'a> {
    source: &'a Source,
    offset: usize,
    rule: &'a str,
    found: Option<(&'static str, Edit)>,
}

impl Search<'_> {
    fn range(&self, span: proc_macro2::Span) -> Option<(usize, usize)> {
        let at = |place: proc_macro2::LineColumn| {
            let line = u32::try_from(place.line).ok()?;
            let start = self.source.line_start(line)?;
            let text = self.source.line(line)?;
            let within = text.char_indices().nth(place.column).map_or(text.len(), |(at, _)| at);
            Some(start + within)
        };
        Some((at(span.start())?, at(span.end())?))
    }

    fn covers(&self, span: proc_macro2::Span) -> bool {
        self.range(span).is_some_and(|(start, end)| (start..end).contains(&self.offset))
    }

    fn replace(&mut self, span: proc_macro2::Span, by: &str, description: &'static str) {
        if let Some((start, end)) = self.range(span) {
            self.found = Some((description, Edit { start, end, replacement: by.to_owned() }));
        }
    }
}

impl<'ast> Visit<'ast> for Search<'_> {
    fn visit_local(&mut self, local: &'ast syn::Local) {
        if let ("guard_dropped_at_once", syn::Pat::Wild(wild), Some(init)) =
            (self.rule, &local.pat, &local.init)
            && self.covers(init.expr.span())
        {
            self.replace(wild.underscore_token.span, "_guard", "give the guard a name");
        }
        syn::visit::visit_local(self, local);
    }

    fn visit_expr_if(&mut self, branch: &'ast syn::ExprIf) {
        let only_waits = match &branch.then_branch.stmts[..] {
            [syn::Stmt::Expr(syn::Expr::Assign(assign), Some(_))] => self.covers(assign.right.span()),
            _ => false,
        };
        let is_plain = !matches!(&*branch.cond, syn::Expr::Let(_)) && branch.else_branch.is_none();
        if self.rule == "condvar_wait_without_loop" && only_waits && is_plain && !has_let(&branch.cond) {
            self.replace(branch.if_token.span, "while", "wait until the condition no longer holds");
        }
        syn::visit::visit_expr_if(self, branch);
    }
}

fn has_let(condition: &syn::Expr) -> bool {
    struct Finder(bool);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_expr_let(&mut self, _: &'ast syn::ExprLet) {
            self.0 = true;
        }
    }
    let mut finder = Finder(false);
    finder.visit_expr(condition);
    finder.0
}

/// Makes all changes of a report, and takes what they are for out of it.
///
/// # Errors
/// If a source cannot be written.
pub fn apply(report: &mut Report, root: &Path) -> Result<(), Error> {
    let fixes = std::mem::take(&mut report.fixes);
    let wanted: Vec<Fix> =
        fixes.into_iter().filter(|fix| report.findings.iter().any(|finding| fix.is_of(finding))).collect();
    let mut files: BTreeMap<&str, Vec<&Edit>> = BTreeMap::new();
    for fix in &wanted {
        files.entry(&fix.place.file).or_default().extend(&fix.edits);
    }
    for (file, edits) in files {
        let path = root.join(file);
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        fs::write(&path, edited(text, edits)).map_err(Error::io("write", &path))?;
    }
    report.findings.retain(|finding| !wanted.iter().any(|fix| fix.is_of(finding)));
    if !wanted.is_empty() {
        report.warnings.push(format!("{} findings were fixed in the source", wanted.len()));
    }
    Ok(())
}

/// A text with all edits made, the last one first, so that the others stay in place.
fn edited(mut text: String, mut edits: Vec<&Edit>) -> String {
    edits.sort();
    edits.dedup();
    for edit in edits.into_iter().rev() {
        if text.get(edit.start..edit.end).is_some() {
            text.replace_range(edit.start..edit.end, &edit.replacement);
        }
    }
    text
}
