//! The lexer and interpreter of `#!ipxe` scripts.
#![no_std]
