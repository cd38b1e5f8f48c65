//! The unpacker: the first Rust code of an image.
//!
//! What is true on entry: long mode, interrupts off, 0 to 4 GiB mapped one to one and writable, a stack of 16 KiB
//! after the image, and a [`BootInfo`] that the prefix filled. The image lies whole where the BootInfo says.
//!
//! What is done here: a place for the core is chosen - as high as possible below 4 GiB, clear of the 1 to 32 MiB
//! that the next program will want -, the payload is decompressed there, its low block is moved under the free
//! base memory mark, and the core is mapped at its virtual address, each part with its own permissions.

use base::boot_info::{BootInfo, CORE_PLACE, E820_CAPACITY, HEAP_LENGTH};
use base::image_header::{self, ImageHeader};
use core::alloc::{GlobalAlloc, Layout};
use core::mem::offset_of;
use unpack::{code, operands};

use crate::Memory;

base::assembly!(
    "../../../image-variants/prefix/pxe.S",
    HEADER_OFFSET = image_header::OFFSET,
    HEADER_LENGTH = image_header::LENGTH,
    HEADER_IMAGE_LENGTH = offset_of!(ImageHeader, image_length),
    HEADER_SCRIPT_LENGTH = offset_of!(ImageHeader, script_length),
    ENTRY_STACK_SAVED = base::boot_info::ENTRY_STACK_SAVED,
    ENTRY_STACK_MAGIC = base::boot_info::ENTRY_STACK_MAGIC,
    BOOT_INFO_ENTRY_STACK = offset_of!(BootInfo, entry_stack),
    BOOT_INFO_ENTRY_ES_BX = offset_of!(BootInfo, entry_es_bx),
    BOOT_INFO_ENTRY_STACK_POINTER = offset_of!(BootInfo, entry_stack_pointer),
    BOOT_INFO_BASE_MEMORY = offset_of!(BootInfo, base_memory_kib),
    BOOT_INFO_A20 = offset_of!(BootInfo, a20_method),
    BOOT_INFO_IMAGE = offset_of!(BootInfo, image),
    BOOT_INFO_E820_COUNT = offset_of!(BootInfo, e820_count),
    BOOT_INFO_ENTRY_TSC = offset_of!(BootInfo, entry_tsc_low),
    BOOT_INFO_E820 = offset_of!(BootInfo, e820),
    E820_CAPACITY = E820_CAPACITY,
    NEEDED_MEBIBYTES = NEEDED_MEBIBYTES,
);

base::assembly!(
    "../../../image-variants/prefix/media.S",
    BOOT_SECTOR_PARAMETERS = image_header::BOOT_SECTOR_PARAMETERS,
);

base::assembly!(
    "../../../image-variants/prefix/rom.S",
    ROM_PARAMETERS = image_header::ROM_PARAMETERS,
    CARD_KNOWN = image_header::CARD_KNOWN,
    HEADER_CARD = offset_of!(ImageHeader, card),
);

base::assembly!("../../../image-variants/prefix/rom_loader.S", CARD_LOADED = image_header::CARD_LOADED);

/// Why the unpacker came back; the prefix has a sentence for each.
#[repr(u32)]
enum Failure {
    Memory = 1,
    Damaged = 2,
}

const PAGE: u64 = 4096;
/// Page tables: PML4, low and high PDPT, four low PDs, high PD, high PT.
const TABLES: u64 = 9 * PAGE;
/// The core takes its heap itself. Until then the model is there.
const HEAP_ROOM: u64 = if MODEL > HEAP_LENGTH { MODEL } else { HEAP_LENGTH };
const MODEL: u64 = round_up(size_of::<Memory>() as u64);
/// What is needed, and the prefix says so: that, and a mebibyte for core, tables and script (linker/core.ld).
const NEEDED_MEBIBYTES: u64 = HEAP_ROOM.div_ceil(1 << 20) + 1;

const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;

/// Runs the unpacker; returns only a reason why it could not.
#[unsafe(no_mangle)]
extern "C" fn unpack_main(info: &'static mut BootInfo) -> u32 {
    match unpack(info) {
        Ok(never) => match never {},
        Err(failure) => failure as u32,
    }
}

enum Never {}

fn unpack(info: &'static mut BootInfo) -> Result<Never, Failure> {
    // SAFETY: the prefix runs inside the image, so its first bytes are there.
    let head = unsafe { memory(u64::from(info.image), (image_header::OFFSET + image_header::LENGTH) as u64) };
    let header = ImageHeader::read(head).ok_or(Failure::Damaged)?;
    let file = u64::from(header.core_text_length)
        + u64::from(header.core_rodata_length)
        + u64::from(header.core_data_length);
    let zeroed = u64::from(header.core_bss_length);
    let unpacked = file + u64::from(header.low_length);
    let core_length = (file + zeroed).max(round_up(unpacked));
    let script_length = u64::from(header.script_length);
    let total = core_length + TABLES + round_up(script_length);

    // The place for the core: its heap goes below it, so one range is searched for both. More than is said is needed only
    // where a long script meets a core that is nearly as large as it may be.
    let entries = info.e820.get(..info.e820_count as usize).unwrap_or(&info.e820);
    let needed = (total + HEAP_ROOM).max(NEEDED_MEBIBYTES << 20);
    let place = memmap::find_top(entries, needed, CORE_PLACE).ok_or(Failure::Memory)?;
    let core = place.end() - total;
    let tables = core + core_length;
    let script = tables + TABLES;

    // SAFETY: `place` is usable memory that nothing else has, and mapped one to one; the payload lies in the
    // image, which the ROM loaded whole below 640 KiB, so the two do not overlap. The model has a part of the room
    // for the heap, which nobody uses yet; it consists of integers, for which any bytes will do.
    let (payload, output, model) = unsafe {
        (
            memory(u64::from(info.image) + u64::from(header.payload_offset), header.payload_length.into()),
            memory(core, unpacked),
            &mut *(place.start() as *mut Memory),
        )
    };
    // SAFETY: the model is memory that is mapped, and as large as its type.
    unsafe { widen_translation(core::ptr::from_mut(model) as u64, size_of::<Memory>() as u64) }
    let code_length = header.core_text_length as usize;
    code::decode(payload, output, code_length, model).map_err(|_| Failure::Damaged)?;
    operands::decode(output.get_mut(..code_length).ok_or(Failure::Damaged)?);

    // The low block ends on a page boundary below the mark, and starts on one (DESIGN section 4).
    let low_memory = u64::from(header.low_memory_length);
    let low_end = u64::from(info.base_memory_kib) * 1024 / PAGE * PAGE;
    let low = low_end.checked_sub(low_memory).ok_or(Failure::Memory)?;
    if low < core::ptr::from_ref(info) as u64 + 5 * PAGE {
        return Err(Failure::Memory);
    }
    let script_source = u64::from(info.image) + u64::from(header.image_length);
    // SAFETY: source and target are apart: the low block goes between our stack and the mark, the core and
    // the script lie above 32 MiB, and their sources were read from there or from the image.
    unsafe {
        zero(low, low_memory);
        copy(core + file, low, header.low_length.into());
        zero(core + file, core_length - file);
        copy(script_source, script, script_length);
    }

    info.core = core;
    info.core_length = total;
    info.low = u32::try_from(low).map_err(|_| Failure::Memory)?;
    info.page_tables = u32::try_from(tables).map_err(|_| Failure::Memory)?;
    info.script = script;
    info.script_length = script_length;
    // SAFETY: `tables` is ours, and what it maps is what was filled above.
    unsafe {
        map_core(&header, core, tables);
        enter_core(tables, info)
    }
}

/// Makes room for the pages of a range in QEMU's cache of translated addresses, without which most of what is read
/// there is looked up anew. It begins with 256 pages, and is doubled when it is emptied while it is in full use. To a
/// processor this is nothing.
///
/// # Safety
/// The range is mapped.
unsafe fn widen_translation(start: u64, length: u64) {
    for _ in 0..6 {
        for page in (start..start + length).step_by(PAGE as usize) {
            // SAFETY: by contract of this function.
            let _ = unsafe { (page as *const u8).read_volatile() };
        }
        // SAFETY: the tables stay the same.
        unsafe {
            core::arch::asm!("mov {tables}, cr3", "mov cr3, {tables}", tables = out(reg) _, options(nostack))
        }
    }
}

/// Builds the tables at `tables`: 0 to 4 GiB one to one, and the core at its virtual address.
///
/// # Safety
/// `TABLES` bytes at `tables` are the caller's, and nobody uses them yet.
unsafe fn map_core(header: &ImageHeader, core: u64, tables: u64) {
    // SAFETY: by contract of this function, each table lies in its own page of ours.
    unsafe {
        zero(tables, TABLES);
        let table = |number: u64| tables + number * PAGE;
        let set =
            |number: u64, index: u64, entry: u64| ((table(number) + index * 8) as *mut u64).write(entry);
        let link = |number: u64| table(number) | PRESENT | WRITABLE;
        let no_execute = if has_no_execute() { NO_EXECUTE } else { 0 };
        set(0, 0, link(1));
        set(0, 511, link(2));
        for gigabyte in 0..4 {
            set(1, gigabyte, link(3 + gigabyte));
        }
        for large in 0..2048 {
            set(3, large, large << 21 | PRESENT | WRITABLE | LARGE);
        }
        set(2, 510, link(7));
        set(7, 0, link(8));
        let parts = [
            (header.core_text_length, 0),
            (header.core_rodata_length, no_execute),
            (header.core_data_length, no_execute | WRITABLE),
            (header.core_bss_length, no_execute | WRITABLE),
        ];
        let mut page = 0;
        for (length, permissions) in parts {
            for _ in 0..u64::from(length) / PAGE {
                set(8, page, (core + page * PAGE) | PRESENT | permissions);
                page += 1;
            }
        }
        // The first page of bss guards the stack above it.
        let guard = page - u64::from(header.core_bss_length) / PAGE;
        set(8, guard, 0);
    }
}

/// Switches to the new tables and jumps to the core's first byte with `info` in RDI.
///
/// # Safety
/// The tables map what runs now at the same addresses, and the core at its own.
unsafe fn enter_core(tables: u64, info: &'static mut BootInfo) -> ! {
    // SAFETY: by contract; setting EFER.NXE is done only where CPUID says it exists.
    unsafe {
        if has_no_execute() {
            core::arch::asm!("rdmsr", "or eax, 0x800", "wrmsr", in("ecx") 0xc000_0080_u32,
                out("eax") _, out("edx") _, options(nostack));
        }
        core::arch::asm!("mov cr3, {tables}", "jmp {core}", tables = in(reg) tables,
            core = in(reg) 0xffff_ffff_8000_0000_u64, in("rdi") info, options(noreturn));
    }
}

fn has_no_execute() -> bool {
    core::arch::x86_64::__cpuid(0x8000_0001).edx & 1 << 20 != 0
}

const fn round_up(length: u64) -> u64 {
    length.div_ceil(PAGE) * PAGE
}

/// The memory at `address` as bytes.
///
/// # Safety
/// The range is mapped, and nobody else writes to it while the slice lives.
unsafe fn memory(address: u64, length: u64) -> &'static mut [u8] {
    // SAFETY: by contract of this function.
    unsafe { core::slice::from_raw_parts_mut(address as *mut u8, length as usize) }
}

/// # Safety
/// The range is mapped and the caller's.
unsafe fn zero(address: u64, length: u64) {
    // SAFETY: by contract of this function.
    unsafe { core::ptr::write_bytes(address as *mut u8, 0, length as usize) }
}

/// # Safety
/// Both ranges are mapped, the target is the caller's, and they do not overlap.
unsafe fn copy(from: u64, to: u64, length: u64) {
    // SAFETY: by contract of this function.
    unsafe { core::ptr::copy_nonoverlapping(from as *const u8, to as *mut u8, length as usize) }
}

/// The unpacker has no heap; the crates it shares with the core could use one.
struct NoHeap;

// SAFETY: nothing is ever handed out, so nothing can come back.
unsafe impl GlobalAlloc for NoHeap {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static NO_HEAP: NoHeap = NoHeap;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        // SAFETY: stops the processor; nothing follows.
        unsafe { core::arch::asm!("cli", "hlt", options(nostack)) }
    }
}
