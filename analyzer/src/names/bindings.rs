//! What the source calls a value where it is made: the variable, field or static that it goes into.
//!
//! `let accounts = Arc::new(Mutex::new(0))` gives `accounts`, `Bank { accounts: Mutex::new(0) }` gives
//! `Bank.accounts`, `static STATE: …` gives `STATE`, and a value made in a closure or a repetition
//! is one of many: `forks[…]`.
//!
//! Known misses: values handed to a function that is not a plain constructor get no name here.

use proc_macro2::LineColumn;
use quote::ToTokens as _;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Expr, Member, Pat, Stmt};

use super::{macros, uses};

/// The name of what is made by the call that begins at this place.
pub(super) fn find(file: &syn::File, at: LineColumn) -> Option<String> {
    let mut finder = Finder { at, frames: Vec::new(), types: Vec::new(), found: None };
    finder.visit_file(file);
    finder.found
}

/// The struct that derives `Default` at this place, and its fields whose types have this word in them.
pub(super) fn derived(file: &syn::File, at: LineColumn, word: &str) -> Option<(String, Vec<String>)> {
    let mut finder = Derived { at, word, found: None };
    finder.visit_file(file);
    finder.found
}

struct Derived<'a> {
    at: LineColumn,
    word: &'a str,
    found: Option<(String, Vec<String>)>,
}

impl<'ast> Visit<'ast> for Derived<'_> {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        let within = |span: proc_macro2::Span| span.start() <= self.at && self.at < span.end();
        if !item.attrs.iter().any(|attribute| within(attribute.span())) {
            return;
        }
        let fields = item.fields.iter().enumerate().filter_map(|(index, field)| {
            let name = field.ident.as_ref().map_or_else(|| index.to_string(), ToString::to_string);
            field.ty.to_token_stream().to_string().contains(self.word).then_some(name)
        });
        self.found = Some((item.ident.to_string(), fields.collect()));
    }
}

/// What surrounds an expression.
#[derive(Clone, Debug)]
enum Frame {
    /// It becomes this variable.
    Variable(String),
    /// It becomes this static.
    Static(String),
    /// It becomes this field of this type.
    Field(String, String),
    /// It becomes this part of a tuple.
    Part(usize),
    /// It is made once per element.
    Repeated,
    /// Its value goes nowhere that has a name.
    Lost,
}

#[derive(Clone)]
struct Finder {
    at: LineColumn,
    frames: Vec<Frame>,
    types: Vec<String>,
    found: Option<String>,
}

/// Methods and functions whose closure makes one value per element.
const PER_ELEMENT: [&str; 6] = ["map", "from_fn", "repeat_with", "resize_with", "flat_map", "filter_map"];
/// Those whose closure makes the one value.
const ONCE: [&str; 6] =
    ["new", "get_or_init", "call_once", "get_or_insert_with", "unwrap_or_else", "or_insert_with"];

impl Finder {
    fn within(&mut self, frame: Frame, visit: impl FnOnce(&mut Self)) {
        self.frames.push(frame);
        visit(self);
        self.frames.pop();
    }

    /// The name that the frames around here give, from the inside out.
    fn name(&self) -> Option<String> {
        let mut suffix = String::new();
        for (at, frame) in self.frames.iter().enumerate().rev() {
            match frame {
                Frame::Variable(name) | Frame::Static(name) => return Some(format!("{name}{suffix}")),
                Frame::Field(of, field) => {
                    let of = self.static_around(at).unwrap_or_else(|| of.clone());
                    return Some(format!("{of}.{field}{suffix}"));
                }
                Frame::Part(index) => suffix = format!(".{index}{suffix}"),
                Frame::Repeated if suffix.starts_with('[') => {}
                Frame::Repeated => suffix = format!("[…]{suffix}"),
                Frame::Lost => return None,
            }
        }
        None
    }

    /// The static whose value a field at this frame belongs to.
    fn static_around(&self, at: usize) -> Option<String> {
        let outer = self.frames[..at].iter().rev().take_while(|frame| !matches!(frame, Frame::Lost));
        outer
            .into_iter()
            .find_map(|frame| if let Frame::Static(name) = frame { Some(name.clone()) } else { None })
    }

    fn visit_let(&mut self, pattern: &Pat, init: &Expr) {
        match (pattern, init) {
            (Pat::Type(typed), _) => self.visit_let(&typed.pat, init),
            (Pat::Tuple(names), Expr::Tuple(values)) if names.elems.len() == values.elems.len() => {
                for (name, value) in names.elems.iter().zip(&values.elems) {
                    self.visit_let(name, value);
                }
            }
            _ => {
                let frame = pattern_name(pattern).map_or(Frame::Lost, Frame::Variable);
                self.within(frame, |finder| finder.visit_expr(init));
            }
        }
    }

    fn visit_arguments<'a>(&mut self, function: &str, arguments: impl Iterator<Item = &'a Expr>) {
        for argument in arguments {
            let frame = match argument {
                Expr::Closure(_) if PER_ELEMENT.contains(&function) => Some(Frame::Repeated),
                Expr::Closure(_) if ONCE.contains(&function) => None,
                Expr::Closure(_) => Some(Frame::Lost),
                _ => None,
            };
            match frame {
                Some(frame) => self.within(frame, |finder| finder.visit_expr(argument)),
                None => self.visit_expr(argument),
            }
        }
    }

    fn type_or_self(&self, path: &syn::Path) -> Option<String> {
        let last = path.segments.last()?.ident.to_string();
        if last == "Self" { self.types.last().cloned() } else { Some(last) }
    }

    fn visit_call(&mut self, call: &syn::ExprCall) {
        let Expr::Path(function) = &*call.func else {
            self.visit_arguments("", call.args.iter());
            return;
        };
        let name = self.type_or_self(&function.path).unwrap_or_default();
        let wraps = name.starts_with(char::is_uppercase) && !matches!(name.as_str(), "Some" | "Ok" | "Err");
        if !wraps {
            self.visit_arguments(&name, call.args.iter());
            return;
        }
        for (index, argument) in call.args.iter().enumerate() {
            let frame = Frame::Field(name.clone(), index.to_string());
            self.within(frame, |finder| finder.visit_expr(argument));
        }
    }
}

/// `accounts`, or `tx/rx` of a pattern of several.
fn pattern_name(pattern: &Pat) -> Option<String> {
    match pattern {
        Pat::Ident(name) => Some(name.ident.to_string()),
        Pat::Type(typed) => pattern_name(&typed.pat),
        Pat::Tuple(parts) => {
            let parts: Vec<_> = parts.elems.iter().filter_map(pattern_name).collect();
            (!parts.is_empty()).then(|| parts.join("/"))
        }
        _ => None,
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.types.push(uses::type_name(&item.self_ty).unwrap_or_else(|| "Self".to_owned()));
        visit::visit_item_impl(self, item);
        self.types.pop();
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.within(Frame::Lost, |finder| visit::visit_item_fn(finder, item));
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.within(Frame::Static(item.ident.to_string()), |finder| visit::visit_item_static(finder, item));
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.within(Frame::Static(item.ident.to_string()), |finder| visit::visit_item_const(finder, item));
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        for (at, statement) in block.stmts.iter().enumerate() {
            let is_value = at + 1 == block.stmts.len() && matches!(statement, Stmt::Expr(_, None));
            match statement {
                _ if is_value => self.visit_stmt(statement),
                Stmt::Local(local) => {
                    if let Some(init) = &local.init {
                        self.visit_let(&local.pat, &init.expr);
                    }
                }
                _ => self.within(Frame::Lost, |finder| finder.visit_stmt(statement)),
            }
        }
    }

    fn visit_expr(&mut self, expr: &'ast Expr) {
        if self.found.is_none()
            && expr.span().start() == self.at
            && matches!(expr, Expr::Call(_) | Expr::Macro(_))
        {
            self.found = self.name();
        }
        match expr {
            Expr::Call(call) => self.visit_call(call),
            Expr::MethodCall(call) => {
                self.visit_expr(&call.receiver);
                self.visit_arguments(&call.method.to_string(), call.args.iter());
            }
            Expr::Struct(literal) => {
                let of = self.type_or_self(&literal.path).unwrap_or_default();
                for field in &literal.fields {
                    let name = match &field.member {
                        Member::Named(name) => name.to_string(),
                        Member::Unnamed(index) => index.index.to_string(),
                    };
                    self.within(Frame::Field(of.clone(), name), |finder| finder.visit_expr(&field.expr));
                }
            }
            Expr::Tuple(tuple) => {
                for (index, part) in tuple.elems.iter().enumerate() {
                    self.within(Frame::Part(index), |finder| finder.visit_expr(part));
                }
            }
            Expr::Array(_) | Expr::Repeat(_) => {
                self.within(Frame::Repeated, |finder| visit::visit_expr(finder, expr));
            }
            Expr::Assign(assign) => {
                let this = self.types.last().map(String::as_str);
                let name =
                    uses::name_of(&assign.left, this).map_or(Frame::Lost, |(_, name)| Frame::Variable(name));
                self.within(name, |finder| finder.visit_expr(&assign.right));
            }
            _ => visit::visit_expr(self, expr),
        }
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        if self.found.is_some() {
            return;
        }
        if let Some(name) = macros::static_before(&item.tokens, self.at) {
            self.found = Some(name);
            return;
        }
        let mut inner = self.clone();
        if item.path.is_ident("vec") {
            inner.frames.push(Frame::Repeated);
        }
        for expr in macros::expressions(item) {
            inner.visit_expr(&expr);
        }
        self.found = inner.found;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name of what `Mutex::new` makes in `program`.
    fn made(program: &str) -> Option<String> {
        let at = program.find("Mutex::new").expect("it is there");
        let line = program[..at].matches('\n').count() + 1;
        let column = program[..at].rsplit('\n').next().map_or(0, |line| line.chars().count());
        find(&syn::parse_file(program).expect("it parses"), LineColumn { line, column })
    }

    #[test]
    fn a_derived_default_gives_the_struct_and_the_fields_of_the_kind() {
        let program = "#[derive(Debug, Default)]\nstruct S {\n    a: Mutex<u8>,\n    b: Arc<Mutex<u8>>,\n    c: u8,\n}\n";
        let file = syn::parse_file(program).expect("it parses");
        let fields = |column, word| derived(&file, LineColumn { line: 1, column }, word);
        assert_eq!(fields(16, "Mutex"), Some(("S".to_owned(), vec!["a".to_owned(), "b".to_owned()])));
        assert_eq!(fields(16, "Condvar"), Some(("S".to_owned(), Vec::new())));
        assert_eq!(fields(60, "Mutex"), None);
    }

    #[test]
    fn the_variable_field_or_static_that_it_goes_into_names_a_value() {
        let statements = [
            ("let accounts = Mutex::new(0);", Some("accounts")),
            ("let accounts: Arc<Mutex<u8>> = Arc::new(Mutex::new(0));", Some("accounts")),
            ("let bank = Arc::new(Bank { accounts: Mutex::new(0) });", Some("Bank.accounts")),
            ("let pair = Arc::new((Mutex::new(false), Condvar::new()));", Some("pair.0")),
            ("let (a, b) = (1, Arc::new(Mutex::new(0)));", Some("b")),
            ("let forks: Vec<_> = (0..5).map(|_| Mutex::new(())).collect();", Some("forks[…]")),
            ("let forks: [_; 5] = std::array::from_fn(|_| Mutex::new(()));", Some("forks[…]")),
            ("let forks = vec![Mutex::new(()), other()];", Some("forks[…]")),
            ("let forks = [const { Mutex::new(()) }; 5];", Some("forks[…]")),
            ("let wrapper = Wrapper(Mutex::new(()));", Some("Wrapper.0")),
            ("self.accounts = Mutex::new(());", Some("Bank.accounts")),
            ("Self { accounts: Mutex::new(()), other: 1 }", Some("Bank.accounts")),
            ("static STATE: State = State { inner: Mutex::new(0) };", Some("STATE.inner")),
            ("static STATE: LazyLock<Mutex<u8>> = LazyLock::new(|| Mutex::new(0));", Some("STATE")),
            ("thread_local! { static STATE: Mutex<u8> = Mutex::new(0); }", Some("STATE")),
            ("lazy_static! { static ref STATE: Mutex<u8> = Mutex::new(0); }", Some("STATE")),
            ("let handle = thread::spawn(|| run(Mutex::new(0)));", None),
            ("let x = { run(Mutex::new(0)); 1 };", None),
            ("run(Mutex::new(0));", None),
        ];
        for (statement, name) in statements {
            let program = format!("impl Bank {{ fn new() -> Self {{\n    {statement}\n}} }}");
            assert_eq!(made(&program).as_deref(), name, "{statement}");
        }
        assert_eq!(made("pub static STATE: Mutex<u8> =\n    Mutex::new(0);").as_deref(), Some("STATE"));
    }
}
