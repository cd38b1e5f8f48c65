//! The PXE/UNDI contract: ABI structures, finding the vendor's stack, and the client driver.
#![no_std]
