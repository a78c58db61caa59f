//! Correct: unions, enums and niches under a lock, and fields of one struct by threads of their own.

use std::sync::Mutex;
use std::thread;

use shared::Shared;

union Number {
    float: f64,
    bits: u64,
    bytes: [u8; 8],
}

#[derive(Clone, Debug)]
enum Shape {
    Dot,
    Line(u32, Option<Box<u64>>),
    Name(String),
}

#[derive(Default)]
struct Fields {
    flag: bool,
    small: u16,
    large: (u64, u8),
    word: Option<char>,
}

static NUMBER: Mutex<Number> = Mutex::new(Number { bits: 0 });
static SHAPE: Mutex<Shape> = Mutex::new(Shape::Dot);

fn next(shape: &Shape) -> Shape {
    match shape {
        Shape::Dot => Shape::Line(1, Some(Box::new(2))),
        Shape::Line(length, more) => Shape::Name(format!("{length} {more:?}")),
        Shape::Name(name) if name.is_empty() => Shape::Line(0, None),
        Shape::Name(_) => Shape::Dot,
    }
}

pub fn main() {
    let fields = Shared::new(Fields::default());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let mut number = NUMBER.lock().unwrap();
                    number.float = 2.0;
                    // SAFETY: every pattern of bits is valid in every field.
                    unsafe { number.bytes[0] = number.bits as u8 };
                    let mut shape = SHAPE.lock().unwrap();
                    *shape = next(&shape);
                }
            });
        }
        // SAFETY: each field has a thread of its own, here and below.
        scope.spawn(|| unsafe { (*fields.get()).flag = true });
        // SAFETY: see above.
        scope.spawn(|| unsafe { (*fields.get()).small += 1 });
        // SAFETY: see above.
        scope.spawn(|| unsafe { (*fields.get()).large.0 += 1 });
        // SAFETY: see above.
        scope.spawn(|| unsafe { (*fields.get()).large.1 += 1 });
        // SAFETY: see above.
        scope.spawn(|| unsafe { (*fields.get()).word = Some('w') });
    });
}
