//! URIs by RFC 3986: parse, resolve, format, redact.
#![no_std]
