//! Any bytes as a log segment: read, or refused; what was read is read again after the log was opened and written to.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    streamflow::__fuzz::log(bytes);
    streamflow::__fuzz::log_with_checksums(bytes);
});
