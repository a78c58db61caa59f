//! What one source file says that rules need: its modules, types, statics, functions and their flow.
//!
//! Invariants:
//! * Facts depend on the file's text and edition alone, so that they can be cached by content. What needs
//!   other files (which lock a field is, which function a call means) is worked out later.
//! * Words are numbers into [`FileFacts::names`]: facts of a million lines must stay small.

use serde::{Deserialize, Serialize};

/// A word of the file: an index into [`FileFacts::names`].
pub type Sym = u32;
/// An expression of a function: an index into [`Function::exprs`].
pub type ExprId = u32;
/// A variable of a function: an index into [`Function::locals`].
pub type LocalId = u32;

/// A position, line and column from 1, the column in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pos {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

/// Everything that is known of one file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Every word, once.
    pub names: Vec<String>,
    /// Why there is nothing else.
    pub problem: Option<String>,
    /// Lines in the file.
    pub lines: u32,
    /// Modules, a parent before its children; the first is the file itself.
    pub modules: Vec<Module>,
    /// `use` declarations.
    pub uses: Vec<Use>,
    /// Structs, enums, unions and aliases.
    pub types: Vec<TypeDef>,
    /// Statics, of macros such as `lazy_static!` as well.
    pub statics: Vec<Static>,
    /// Functions and methods.
    pub functions: Vec<Function>,
    /// `unsafe impl Send` and `unsafe impl Sync`.
    pub unsafe_impls: Vec<UnsafeImpl>,
    /// `// snag: allow(rule) reason`.
    pub allows: Vec<Allow>,
}

impl FileFacts {
    /// The text of a word.
    #[must_use]
    pub fn name(&self, sym: Sym) -> &str {
        &self.names[sym as usize]
    }
}

/// A module, or a block that has items.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Module {
    /// Index of its parent, of itself for the first one.
    pub parent: u32,
    /// Its name, empty for the first one and for blocks.
    pub name: Sym,
    /// What `#[path = "…"]` says.
    pub path: Option<String>,
    /// Whether its items are in this file.
    pub inline: bool,
    /// Whether it is a block of a function.
    pub block: bool,
    /// Whether it is compiled for tests only.
    pub test: bool,
}

/// One name that a `use` brings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Use {
    /// In which module.
    pub module: u32,
    /// What is used.
    pub path: Vec<Sym>,
    /// Its name here; nothing for `*`.
    pub alias: Option<Sym>,
}

/// A type as it is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Type {
    /// Something that is not looked into.
    #[default]
    Unknown,
    /// A named type and its type arguments.
    Path(Vec<Sym>, Vec<Type>),
    /// A tuple.
    Tuple(Vec<Type>),
    /// An array or slice.
    Slice(Box<Type>),
    /// A reference.
    Reference(Box<Type>),
    /// A raw pointer.
    Pointer(Box<Type>),
    /// A function type; its parts do not count.
    Function,
}

/// A type that the file declares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TypeDef {
    /// In which module.
    pub module: u32,
    /// Its name.
    pub name: Sym,
    /// Names of its type parameters.
    pub generics: Vec<Sym>,
    /// Type parameters that are bounded by `Send` or `Sync` where the type is declared.
    pub bounded: Vec<Sym>,
    /// Fields of a struct or union by name (`0`, `1`… in a tuple), and of all variants of an enum.
    pub fields: Vec<(Sym, Type)>,
    /// What it is another name of.
    pub alias: Option<Type>,
    /// Where its name is.
    pub at: Pos,
}

/// A static.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Static {
    /// In which module.
    pub module: u32,
    /// Its name.
    pub name: Sym,
    /// Its type.
    pub ty: Type,
    /// Whether it is `static mut`.
    pub mutable: bool,
    /// Whether each thread has its own.
    pub thread_local: bool,
    /// The function that holds its initialiser, by index, if that calls anything.
    pub init: Option<u32>,
    /// Where its name is.
    pub at: Pos,
}

/// `unsafe impl<T> Send for X<T>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnsafeImpl {
    /// In which module.
    pub module: u32,
    /// Whether it is `Send`, else `Sync`.
    pub send: bool,
    /// The type's path and arguments.
    pub of: Type,
    /// Type parameters of the impl, with whether anything bounds them by `Send` or `Sync`, or by a trait
    /// that may do so.
    pub params: Vec<(Sym, bool)>,
    /// Where `unsafe` is.
    pub at: Pos,
}

/// `// snag: allow(rule) reason`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allow {
    /// Line of the comment.
    pub line: u32,
    /// First and last line that it is about.
    pub covers: (u32, u32),
    /// What is in the brackets.
    pub rules: Vec<String>,
    /// What follows them.
    pub reason: String,
}

/// A function, a method, or the initialiser of a static.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// In which module it is to be found by name.
    pub module: u32,
    /// In which module its own paths are resolved: that of its body.
    pub inner: u32,
    /// Its name.
    pub name: Sym,
    /// The type whose `impl` it is in.
    pub self_type: Option<Type>,
    /// Whether it is in a trait, or in an impl of one.
    pub of_trait: bool,
    /// Whether it takes `&mut self` or `self`, so that nobody else can have it.
    pub exclusive_self: bool,
    /// Whether it is `async`.
    pub is_async: bool,
    /// Whether it is for tests only.
    pub test: bool,
    /// Whether it is public in some way.
    pub public: bool,
    /// How many of the first locals are parameters, `self` included.
    pub params: u32,
    /// Its return type.
    pub returns: Type,
    /// Where its name is.
    pub at: Pos,
    /// Variables, parameters first.
    pub locals: Vec<Local>,
    /// Expressions.
    pub exprs: Vec<Expr>,
    /// What it does.
    pub body: Vec<Op>,
    /// Closures and async blocks in it.
    pub closures: Vec<Closure>,
}

/// A variable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Local {
    /// Its name.
    pub name: Sym,
    /// Its type, if that is written.
    pub ty: Option<Type>,
    /// What it is initialised with, if it is bound to all of that.
    pub init: Option<ExprId>,
    /// What it is a part of, if it is bound by a pattern.
    pub part_of: Option<ExprId>,
    /// Whether it is `mut`.
    pub mutable: bool,
    /// The pattern `Ok(x)`, `Some(x)` or `Err(x)` by which it is bound.
    pub variant: Option<Sym>,
}

/// A closure or async block.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Closure {
    /// What it does.
    pub body: Vec<Op>,
    /// What it gives back.
    pub value: ExprId,
    /// Its parameters.
    pub params: Vec<LocalId>,
    /// Whether it is an async block.
    pub is_async: bool,
    /// Where it begins.
    pub at: Pos,
}

/// An expression. References, dereferences, casts and brackets leave no trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Expr {
    /// Anything else.
    Unknown,
    /// A literal.
    Literal,
    /// A variable.
    Local(LocalId),
    /// A static, constant or function.
    Path(Vec<Sym>),
    /// A field.
    Field(ExprId, Sym),
    /// An element.
    Index(ExprId, ExprId),
    /// A call.
    Call(ExprId, Vec<ExprId>),
    /// A call of a method.
    Method(ExprId, Sym, Vec<ExprId>),
    /// `.await`.
    Await(ExprId),
    /// `?`.
    Try(ExprId),
    /// A closure or async block.
    Closure(u32),
    /// Made of all these.
    Many(Vec<ExprId>),
    /// A struct literal.
    Struct(Vec<Sym>, Vec<ExprId>),
}

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// It is a temporary, dropped with the surrounding [`Op::Temps`].
    Temporary,
    /// It is bound to a variable.
    Local(LocalId),
    /// It is a temporary that lives to the end of the surrounding [`Op::Scope`].
    Extended,
    /// `let _ =`: dropped at the end of the statement.
    Discarded,
    /// It is a statement: dropped at the end of it.
    Unused,
    /// It is returned.
    Returned,
    /// It goes elsewhere.
    Moved,
}

/// A step of a function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// A block: these variables end with it.
    Scope(Vec<LocalId>, Vec<Op>),
    /// Temporaries made in it end with it.
    Temps(Vec<Op>),
    /// Temporaries of the surrounding [`Op::Temps`] end here.
    EndTemps,
    /// A call of a function or method, at its name.
    Call {
        /// The call.
        expr: ExprId,
        /// Where.
        at: Pos,
        /// What becomes of its value.
        fate: Fate,
    },
    /// A variable is moved.
    Move {
        /// The variable.
        from: LocalId,
        /// Where to.
        fate: Fate,
    },
    /// A pattern binds part of a value.
    Part {
        /// The variable.
        local: LocalId,
        /// The value.
        of: ExprId,
    },
    /// The pattern `Ok`, `Some` or the like did not match this value.
    Refuted(ExprId),
    /// A variable is assigned by what is in here.
    Assign(LocalId, Vec<Op>),
    /// One of these happens, as this condition decides, if there is one.
    Branch(Option<ExprId>, Vec<Vec<Op>>),
    /// It happens any number of times.
    Loop(Vec<Op>),
    /// `.await`.
    Await(ExprId, Pos),
    /// A closure is made here and handed to the call of which this is an argument, if any.
    Closure {
        /// Which.
        id: u32,
        /// To what it is handed.
        to: Option<Sym>,
    },
    /// A static is read or written, or something that is reached through a guard or pointer is written.
    Touch {
        /// What.
        expr: ExprId,
        /// Where.
        at: Pos,
        /// Whether it is written.
        write: bool,
    },
    /// What follows in this block does not happen: `return`, `panic!`…
    Leave,
    /// As [`Op::Leave`], out of the innermost loop.
    Break,
}
