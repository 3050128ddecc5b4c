//! Any bytes as a manifest and as a state file: read, or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|parts: (&[u8], &[u8])| {
    let (manifest, state) = parts;
    streamflow::__fuzz::manifest(manifest, state);
    streamflow::__fuzz::manifest_with_checksums(manifest, state);
});
