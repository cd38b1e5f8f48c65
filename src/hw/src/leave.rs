//! The ways out that do not come back.

use base::SegOff;
use base::boot_info::{BootInfo, ENTRY_STACK_MAGIC};

use crate::low::{self, Symbol};
use crate::realmode::{self, Registers};

/// Gives base memory back to the BIOS: the mark becomes what it was when we came, or `kib` if more was freed.
pub fn release_base_memory(kib: u16) {
    low::set_base_memory_kib(kib.max(low::found_base_memory_kib()));
}

/// Whether the stack of the program that loaded us is still as the prefix left it.
pub fn can_return_to_caller(info: &BootInfo) -> bool {
    let mut magic = [0; 4];
    low::read(info.entry_stack.linear(), &mut magic);
    u32::from_le_bytes(magic) == ENTRY_STACK_MAGIC
}

/// Returns to the program that loaded us, with a status for it in AX. Nothing of ours must be hooked any more.
pub fn return_to_caller(stack: SegOff, status: u16) -> ! {
    let ebx = u32::from(stack.segment) << 16 | u32::from(stack.offset);
    let registers = Registers { ebx, ecx: status.into(), ..Registers::default() };
    // SAFETY: no Rust code runs again, so none can be let down.
    unsafe { never_back(Symbol::ReturnToCaller, registers) }
}

/// Lets the BIOS start its next boot device: INT 18h.
pub fn next_boot_device() -> ! {
    // SAFETY: no Rust code runs again, so none can be let down.
    unsafe { never_back(Symbol::NextBootDevice, Registers::default()) }
}

/// Jumps to the setup code of a Linux kernel at `entry`, with all data segments `segment` and the stack at `stack`
/// (Linux boot protocol, "Running the kernel").
pub fn boot_linux(entry: SegOff, segment: u16, stack: u16) -> ! {
    let ebx = u32::from(entry.segment) << 16 | u32::from(entry.offset);
    let registers = Registers { ebx, edx: segment.into(), ecx: stack.into(), ..Registers::default() };
    // SAFETY: no Rust code runs again, so none can be let down.
    unsafe { never_back(Symbol::BootLinux, registers) }
}

/// # Safety
/// The routine does not return.
unsafe fn never_back(symbol: Symbol, mut registers: Registers) -> ! {
    loop {
        // SAFETY: by contract of this function.
        let _ = unsafe { realmode::low_call(symbol.offset(), &mut registers, None) };
    }
}
