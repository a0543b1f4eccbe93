//! The allocator, mimalloc, asked without an alignment wherever its blocks have it anyway.
//!
//! A request with an alignment takes another way there as soon as the next block of its size does not lie
//! ready: up to 15 bytes more, of another size, with a mark that makes giving back slower too. A record is
//! made in one thread and given back in another, so that its next block hardly ever lies ready: this
//! was nearly all of them.

#![expect(unsafe_code, reason = "an allocator cannot be declared without it")]

mod given;

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::{c_int, c_long, c_void};

use libmimalloc_sys::{
    mi_free, mi_malloc, mi_malloc_aligned, mi_realloc, mi_realloc_aligned, mi_zalloc,
    mi_zalloc_aligned,
};

pub(crate) use given::given;

/// Blocks of this size and larger are aligned to it, smaller ones to a word (`MI_MAX_ALIGN_SIZE`, as
/// C's `malloc` promises for `max_align_t`).
const ALIGN_MAX: usize = 16;

// SAFETY: the signature is that of `mimalloc.h`.
// JUSTIFICATION: the crate declares the function only together with another crate for C's types.
unsafe extern "C" {
    /// Sets an option that the environment has not set. Not for two threads at a time.
    fn mi_option_set_default(option: c_int, value: c_long);
}

/// Milliseconds that free pages are kept, `mi_option_purge_delay` in `mimalloc.h`; a second unless it is said.
const PURGE_DELAY: c_int = 15;

/// See the module.
#[derive(Debug)]
pub struct Allocator;

impl Allocator {
    /// Lets free pages go back to the kernel at once. With many threads that give back what others took, a fifth of what
    /// is resident would otherwise be free; pages are few and large, so that giving them back costs next to nothing.
    ///
    /// To be called before there are threads; `MIMALLOC_PURGE_DELAY` in the environment goes first.
    pub fn keep_no_free_pages(&self) {
        // SAFETY: the option exists (a test reads it), and the caller is alone.
        // JUSTIFICATION: the function is C's.
        unsafe { mi_option_set_default(PURGE_DELAY, 0) }
    }
}

/// Whether every block of this size is aligned enough.
#[inline]
const fn is_natural(size: usize, align: usize) -> bool {
    align <= ALIGN_MAX && align <= size
}

// SAFETY: the functions are an allocator's: blocks live until they are given back, do not overlap, have
// the size and the alignment asked for, and failure is a null pointer. None of them unwinds.
// JUSTIFICATION: a global allocator is this trait.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        given::note(size, 0);
        // SAFETY: any size will do; an alignment of a `Layout` is a power of two.
        // JUSTIFICATION: the functions are C's.
        unsafe {
            if is_natural(size, align) {
                mi_malloc(size).cast()
            } else {
                mi_malloc_aligned(size, align).cast()
            }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        given::note(size, 0);
        // SAFETY: as for `alloc`.
        // JUSTIFICATION: the functions are C's.
        unsafe {
            if is_natural(size, align) {
                mi_zalloc(size).cast()
            } else {
                mi_zalloc_aligned(size, align).cast()
            }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        given::note(0, layout.size());
        // SAFETY: the caller got the block here and gives it back once.
        // JUSTIFICATION: the function is C's.
        unsafe { mi_free(block.cast::<c_void>()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let align = layout.align();
        given::note(size, layout.size());
        // SAFETY: the caller got the block here; its contents move with it.
        // JUSTIFICATION: the functions are C's.
        unsafe {
            if is_natural(size, align) {
                mi_realloc(block.cast::<c_void>(), size).cast()
            } else {
                mi_realloc_aligned(block.cast::<c_void>(), size, align).cast()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // SAFETY: the signature is that of `mimalloc.h`.
    // JUSTIFICATION: as for the one that sets it.
    unsafe extern "C" {
        fn mi_option_get(option: c_int) -> c_long;
    }

    /// Another version of mimalloc may number its options otherwise; no other one is a thousand.
    #[test]
    fn the_option_is_the_delay() {
        // SAFETY: any number of an option will do.
        // JUSTIFICATION: the function is C's.
        let delay = || unsafe { mi_option_get(PURGE_DELAY) };
        assert!(delay() == 1_000 || std::env::var_os("MIMALLOC_PURGE_DELAY").is_some());
        Allocator.keep_no_free_pages();
        assert!(delay() == 0 || std::env::var_os("MIMALLOC_PURGE_DELAY").is_some());
    }

    #[test]
    fn what_is_given_is_noted() {
        let layout = Layout::from_size_align(3_000_000, 16).unwrap();
        let before = given().unwrap_or(0);
        // SAFETY: the size is not zero; the block is given back once, as large as it has become.
        // JUSTIFICATION: the trait's functions are unsafe.
        let (most, after) = unsafe {
            let block = Allocator.alloc(layout);
            let block = Allocator.realloc(block, layout, 50_000_000);
            let most = given().unwrap_or(0);
            let grown = Layout::from_size_align(50_000_000, 16).unwrap();
            // As a record is: taken here, given back elsewhere.
            let block = block.expose_provenance();
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    Allocator.dealloc(std::ptr::with_exposed_provenance_mut(block), grown)
                });
            });
            (most, given().unwrap_or(0))
        };
        // Other tests' blocks are smaller.
        assert!(
            most.abs_diff(before + 50_000_000) < 5_000_000,
            "{before} {most}"
        );
        assert!(after.abs_diff(before) < 5_000_000, "{before} {after}");
    }

    #[test]
    fn blocks_are_aligned_and_keep_what_is_in_them() {
        for align in [1, 2, 4, 8, 16, 32, 64, 4096] {
            for size in [
                1, 7, 8, 15, 16, 17, 24, 40, 72, 100, 424, 1000, 1025, 5000, 70_000,
            ] {
                let layout = Layout::from_size_align(size, align).unwrap();
                let blocks: Vec<*mut u8> = (0..20)
                    // SAFETY: the size is not zero.
                    // JUSTIFICATION: the trait's functions are unsafe.
                    .map(|_| unsafe { Allocator.alloc_zeroed(layout) })
                    .collect();
                for block in blocks {
                    assert_eq!(block.addr() % align, 0, "{size} bytes aligned to {align}");
                    // SAFETY: the block has `size` bytes, and twice as many once it has grown.
                    // JUSTIFICATION: what was written is read back through the block.
                    unsafe {
                        assert!((0..size).all(|at| *block.add(at) == 0));
                        *block.add(size - 1) = 7;
                        let block = Allocator.realloc(block, layout, size * 2);
                        assert_eq!(block.addr() % align, 0, "grown from {size}");
                        assert_eq!(*block.add(size - 1), 7);
                        let grown = Layout::from_size_align(size * 2, align).unwrap();
                        Allocator.dealloc(block, grown);
                    }
                }
            }
        }
    }
}
