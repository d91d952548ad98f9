//! A value of the call that runs on this thread. An engine saves it when it suspends the call.
#![forbid(unsafe_code)]

use std::any::Any;
use std::cell::RefCell;
use std::mem::{self, ManuallyDrop};
use std::rc::Rc;

/// The call's value.
pub type Value = Option<Rc<dyn Any>>;

thread_local! {
    /// Never dropped, so that it needs no destructor and still works in a call from one of the host's destructors. Code
    /// that sets a value removes it again.
    static VALUE: RefCell<ManuallyDrop<Value>> = const { RefCell::new(ManuallyDrop::new(None)) };
}

/// The value of the call that runs on this thread.
pub fn get() -> Value {
    VALUE.with(|value| (**value.borrow()).clone())
}

/// Sets another value and returns the previous one.
pub fn replace(new: Value) -> Value {
    let previous = VALUE.with(|value| mem::replace(&mut *value.borrow_mut(), ManuallyDrop::new(new)));
    ManuallyDrop::into_inner(previous)
}
