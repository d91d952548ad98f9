//! The allocator: the system's, and behind it a reserve, so that calls under way end properly when memory runs out.
//!
//! Rust's containers end the process when an allocation fails. So where the system has no memory for a small block, it
//! comes from memory that is part of the library, and new calls are refused until the system has memory again. A large
//! block still fails: whoever asks for one makes the failure a code (`memory`). The reserve has no locks, so a fork or a
//! signal handler at any moment does it no harm.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::memory;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// Pages of zeros, which take no memory until they are used.
static RESERVE: Reserve = Reserve::new();

struct Allocator;

// SAFETY: each block is the system's or a slot of the reserve's, which is given to one owner at a time; `dealloc` and
// `realloc` tell them apart by the address.
unsafe impl GlobalAlloc for Allocator {
    // Not inlined: there are thousands of places that allocate.
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, here and below.
        let block = unsafe { System.alloc(layout) };
        if block.is_null() { from_reserve(layout) } else { block }
    }

    #[inline(never)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let block = unsafe { System.alloc_zeroed(layout) };
        if !block.is_null() {
            return block;
        }
        let block = from_reserve(layout);
        if !block.is_null() {
            // SAFETY: a new block of this size.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match RESERVE.offset(block) {
            // SAFETY: as above.
            None => unsafe { System.dealloc(block, layout) },
            Some(offset) => RESERVE.give_back(offset),
        }
    }

    #[inline(never)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if RESERVE.offset(block).is_none() {
            // SAFETY: as above.
            let moved = unsafe { System.realloc(block, layout, size) };
            if !moved.is_null() {
                return moved;
            }
        }
        // SAFETY: as above.
        unsafe { self.move_block(block, layout, size) }
    }
}

impl Allocator {
    /// Moves a block that is in the reserve, or that the system could not resize.
    ///
    /// # Safety
    /// As for `realloc`.
    #[cold]
    unsafe fn move_block(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise: the new size, rounded up to the alignment, fits into an isize.
        let resized = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        let moved = match RESERVE.offset(block) {
            None => from_reserve(resized),
            // SAFETY: the size is not 0, as the caller promises.
            Some(_) => unsafe { self.alloc(resized) },
        };
        if !moved.is_null() {
            // SAFETY: two blocks of at least this size; the old one is the caller's, who gives it up.
            unsafe {
                moved.copy_from_nonoverlapping(block, layout.size().min(size));
                self.dealloc(block, layout);
            }
        }
        moved
    }
}

/// A block of the reserve, or NULL. New calls are refused from now on.
#[cold]
fn from_reserve(layout: Layout) -> *mut u8 {
    memory::note_shortage();
    RESERVE.take(layout)
}

/// Slots of one size. A block takes the smallest free slot that holds it.
struct Shelf {
    slot: usize,
    slots: usize,
    /// The first slot's offset in the reserve, and the index of the first word that tells which slots are taken.
    offset: usize,
    word: usize,
}

const SHELVES: [Shelf; 3] = [
    Shelf { slot: 256, slots: 1024, offset: 0, word: 0 },
    Shelf { slot: 4 << 10, slots: 64, offset: 256 << 10, word: 16 },
    Shelf { slot: memory::SMALL, slots: 8, offset: 512 << 10, word: 17 },
];
const SIZE: usize = 1 << 20;
const WORDS: usize = 18;

/// Every slot is aligned to its size, or to this if it is larger.
const ALIGNMENT: usize = 4096;

#[repr(C, align(4096))]
struct Reserve {
    memory: UnsafeCell<[u8; SIZE]>,
    /// One bit for each slot, 1 while it is taken.
    taken: [AtomicU64; WORDS],
}

// SAFETY: the memory is only accessed by the owners of its slots, of which each has one at a time.
unsafe impl Sync for Reserve {}

impl Reserve {
    const fn new() -> Reserve {
        Reserve { memory: UnsafeCell::new([0; SIZE]), taken: [const { AtomicU64::new(0) }; WORDS] }
    }

    /// The position of a block in the reserve; `None` for the system's blocks.
    #[inline]
    fn offset(&self, block: *const u8) -> Option<usize> {
        let offset = block.addr().wrapping_sub(self.memory.get().addr());
        (offset < SIZE).then_some(offset)
    }

    /// A free slot, or NULL if the block is too large or no slot is free.
    fn take(&self, layout: Layout) -> *mut u8 {
        let size = layout.size().max(layout.align());
        if layout.align() > ALIGNMENT {
            return null_mut();
        }
        let fitting = SHELVES.iter().filter(|shelf| shelf.slot >= size);
        let offset = fitting.into_iter().find_map(|shelf| Some(shelf.offset + self.take_from(shelf)? * shelf.slot));
        // SAFETY: the offset of a slot lies in the memory.
        offset.map_or(null_mut(), |offset| unsafe { self.memory.get().cast::<u8>().add(offset) })
    }

    /// The index of a slot that was free and is taken now.
    fn take_from(&self, shelf: &Shelf) -> Option<usize> {
        let words = shelf.slots.div_ceil(64);
        let existing = if shelf.slots < 64 { (1 << shelf.slots) - 1 } else { u64::MAX };
        (0..words).find_map(|word| {
            let lowest_free = |taken: u64| Some(!taken & existing).filter(|&free| free != 0).map(u64::trailing_zeros);
            let taking = |taken| Some(taken | 1 << lowest_free(taken)?);
            let taken =
                self.taken[shelf.word + word].fetch_update(Ordering::Acquire, Ordering::Relaxed, taking).ok()?;
            Some(word * 64 + lowest_free(taken)? as usize)
        })
    }

    /// Makes the slot at this offset free.
    #[cold]
    fn give_back(&self, offset: usize) {
        let Some(shelf) = SHELVES.iter().rev().find(|shelf| shelf.offset <= offset) else { return };
        let slot = (offset - shelf.offset) / shelf.slot;
        self.taken[shelf.word + slot / 64].fetch_and(!(1 << (slot % 64)), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Mutex;

    use super::*;

    fn layout(size: usize, alignment: usize) -> Layout {
        Layout::from_size_align(size, alignment).expect("a layout")
    }

    fn taken(reserve: &Reserve) -> u32 {
        reserve.taken.iter().map(|word| word.load(Ordering::SeqCst).count_ones()).sum()
    }

    #[test]
    fn the_shelves_fill_the_reserve() {
        let (mut offset, mut word) = (0, 0);
        for shelf in SHELVES {
            assert_eq!((shelf.offset, shelf.word), (offset, word));
            assert_eq!(offset % shelf.slot.min(ALIGNMENT), 0);
            offset += shelf.slot * shelf.slots;
            word += shelf.slots.div_ceil(64);
        }
        assert_eq!((offset, word), (SIZE, WORDS));
    }

    #[test]
    fn every_slot_is_given_once_and_again_when_it_is_back() {
        static RESERVE: Reserve = Reserve::new();
        for _ in 0..2 {
            let mut seen = HashSet::new();
            loop {
                let block = RESERVE.take(layout(100, 8));
                if block.is_null() {
                    break;
                }
                assert!(seen.insert(RESERVE.offset(block).expect("in the reserve")));
            }
            // Small blocks take larger slots once there are no others.
            assert_eq!(seen.len(), 1024 + 64 + 8);
            seen.into_iter().for_each(|offset| RESERVE.give_back(offset));
            assert_eq!(taken(&RESERVE), 0);
        }
    }

    #[test]
    fn blocks_are_aligned_and_none_is_too_large() {
        static RESERVE: Reserve = Reserve::new();
        for (size, alignment) in [(1, 1), (257, 16), (4096, 4096), (5000, 64), (memory::SMALL, 4096)] {
            let block = RESERVE.take(layout(size, alignment));
            assert!(!block.is_null() && block.addr().is_multiple_of(alignment), "{size} {alignment}");
        }
        assert!(RESERVE.take(layout(memory::SMALL + 1, 1)).is_null());
        assert!(RESERVE.take(layout(1, 8192)).is_null());
    }

    #[test]
    fn threads_never_own_the_same_slot() {
        static RESERVE: Reserve = Reserve::new();
        static OWNED: Mutex<Vec<usize>> = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let offset = RESERVE.offset(RESERVE.take(layout(3000, 8))).expect("free slots");
                        let mut owned = OWNED.lock().expect("no panic");
                        assert!(!owned.contains(&offset));
                        owned.push(offset);
                        drop(owned);
                        OWNED.lock().expect("no panic").retain(|other| *other != offset);
                        RESERVE.give_back(offset);
                    }
                });
            }
        });
        assert_eq!(taken(&RESERVE), 0);
    }

    #[test]
    fn a_block_of_the_reserve_is_resized_and_released() {
        let allocator = Allocator;
        let block = from_reserve(layout(100, 1));
        // SAFETY: the block and its size are those of the lines before.
        unsafe {
            block.write_bytes(7, 100);
            let moved = allocator.realloc(block, layout(100, 1), 300);
            assert!(
                RESERVE.offset(moved).is_none() && std::slice::from_raw_parts(moved, 100).iter().all(|&byte| byte == 7)
            );
            allocator.dealloc(moved, layout(300, 1));
        }
        assert!(memory::room_for_call().is_ok(), "the system has memory");
    }
}
