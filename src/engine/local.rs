//! What belongs to the call that runs on this thread: in an engine, a suspension sets it aside.
#![forbid(unsafe_code)]

use std::any::Any;
use std::cell::RefCell;
use std::mem::{self, ManuallyDrop};
use std::rc::Rc;

/// Some value of the call.
pub type Value = Option<Rc<dyn Any>>;

thread_local! {
    /// Kept from being dropped so that it needs no destructor and outlasts those of the host: calls work to the very
    /// end of a thread. Whoever puts a value in takes it out again.
    static VALUE: RefCell<ManuallyDrop<Value>> = const { RefCell::new(ManuallyDrop::new(None)) };
}

/// The value of the call that runs on this thread.
pub fn get() -> Value {
    VALUE.with(|value| (**value.borrow()).clone())
}

/// Puts in another value; the former one.
pub fn replace(new: Value) -> Value {
    let former = VALUE.with(|value| mem::replace(&mut *value.borrow_mut(), ManuallyDrop::new(new)));
    ManuallyDrop::into_inner(former)
}
