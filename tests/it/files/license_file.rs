//! The license file's other sides: how much of it is read, what a new one keeps of the old one, what is cleared away.
#![allow(clippy::disallowed_methods, reason = "the tests touch files and start programs")]

use std::fs;
use std::io::Write;
use std::process::Stdio;

use hub_emulator::SigningKey;
use netify_licensed::core::license::json::MAX_BYTES;
use rustix::fs::XattrFlags;
use test_bench::device::{DAY, Device, finish, is_root, sign, spec};

/// With a license that ends in a day.
fn device() -> Device {
    let device = Device::new(&SigningKey::from_seed(3), None);
    device.install(&device.genuine(DAY));
    device
}

/// `netify-licensed ARGUMENTS - <BYTES`.
fn piped(device: &Device, arguments: &[&str], bytes: &[u8]) -> (i32, String) {
    let mut command = device.command(&[arguments, &["-"]].concat());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // It may stop to read before the end.
    let _ = child.stdin.take().expect("a pipe").write_all(bytes);
    let output = child.wait_with_output().expect("it ends");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

/// A genuine license of exactly so many bytes.
fn of_size(device: &Device, bytes: usize) -> Vec<u8> {
    let license = |filler: usize| sign(device.key(), &spec(3 * DAY).member("filler", "x".repeat(filler)));
    let license = license(bytes - license(0).len());
    assert_eq!(license.len(), bytes);
    license
}

#[test]
fn a_license_of_the_greatest_size_comes_from_a_file_and_from_a_pipe() {
    let device = device();
    let (fits, too_long) = (of_size(&device, MAX_BYTES), of_size(&device, MAX_BYTES + 1));
    for (license, exit, words) in [(&fits, 0, "valid"), (&too_long, 3, "larger than the 65536 bytes")] {
        let file = device.document("given.json", license);
        for (code, output) in [device.run(&["verify", &file.to_string_lossy()]), piped(&device, &["verify"], license)] {
            assert!(code == exit && output.contains(words), "{code} {output}");
        }
    }
    let (code, output) = piped(&device, &["install"], &fits);
    assert_eq!((code, device.license()), (0, Some(fits)), "{output}");
}

/// An access control list, as the kernel takes it (acl(5)): user 23456 may read as well.
fn one_more_reader() -> Vec<u8> {
    let entries: [(u16, u16, u32); 5] =
        [(0x01, 6, u32::MAX), (0x02, 4, 23_456), (0x04, 4, u32::MAX), (0x10, 4, u32::MAX), (0x20, 0, u32::MAX)];
    let bytes = |(tag, may, id): (u16, u16, u32)| {
        [tag.to_le_bytes().as_slice(), &may.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    [2_u32.to_le_bytes().to_vec()].into_iter().chain(entries.map(bytes)).collect::<Vec<_>>().concat()
}

/// Gives the license file an attribute; else says loudly what is skipped.
fn marked(device: &Device, name: &str, value: &[u8], test: &str) -> bool {
    let done = rustix::fs::setxattr(device.license_path(), name, value, XattrFlags::empty());
    if let Err(error) = done {
        eprintln!("SKIPPED: {test} needs attributes such as {name}: {error}");
    }
    done.is_ok()
}

fn attribute(device: &Device, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 1_024];
    let length = rustix::fs::getxattr(device.license_path(), name, &mut value[..]).ok()?;
    value.truncate(length);
    Some(value)
}

#[test]
fn labels_and_access_lists_go_over_to_the_new_file() {
    let test = "labels_and_access_lists_go_over_to_the_new_file";
    let device = device();
    let (acl, label) = (one_more_reader(), b"of this license".to_vec());
    let kept = [("user.netify-test", &label), ("system.posix_acl_access", &acl)];
    if !is_root(test) || !kept.iter().all(|(name, value)| marked(&device, name, value, test)) {
        return;
    }
    // What the kernel or its tools made for the old content: a file capability (capabilities(7)), without any.
    let of_the_content = [&0x0200_0000_u32.to_le_bytes()[..], &[0; 16]].concat();
    assert!(marked(&device, "security.capability", &of_the_content, test));
    let ownership = device.ownership();
    device.install(&device.genuine(3 * DAY));
    for (name, value) in kept {
        assert_eq!(attribute(&device, name).as_ref(), Some(value), "{name}");
    }
    assert_eq!(attribute(&device, "security.capability"), None);
    assert_eq!(device.ownership(), ownership);
}

/// Injected: a security module that lets nobody set its labels gives the file the directory's. Others must not be lost.
#[test]
fn an_attribute_that_cannot_be_set_stops_the_installation_unless_it_is_a_label() {
    let test = "an_attribute_that_cannot_be_set_stops_the_installation_unless_it_is_a_label";
    if !is_root(test) || !test_bench::device::has("strace", test) {
        return;
    }
    for (name, code) in [("security.netify-test", 0), ("user.netify-test", 1)] {
        let device = device();
        let (old, new) = (device.license().expect("a license"), device.genuine(3 * DAY));
        if !marked(&device, name, b"x", test) {
            return;
        }
        let file = device.document("given.json", &new);
        let strace = "strace -f -qq -o /dev/null -e trace=fsetxattr -e inject=fsetxattr:error=EPERM";
        let strace: Vec<String> = strace.split(' ').map(str::to_owned).collect();
        let (exit, output) = finish(&mut device.wrapped(&strace, &["install", &file.to_string_lossy()]));
        assert_eq!((exit, device.license()), (code, Some(if code == 0 { new } else { old })), "{name}: {output}");
        assert_eq!(output.contains("cannot keep the attributes of"), code == 1, "{output}");
    }
}

/// A command that is started meanwhile must not inherit what is being written.
#[test]
fn no_open_file_is_left_to_a_child() {
    if !test_bench::device::has("strace", "no_open_file_is_left_to_a_child") {
        return;
    }
    let device = device();
    let (file, calls) = (device.document("given.json", &device.genuine(3 * DAY)), device.path("calls"));
    let strace = format!("strace -f -qq -o {} -e trace=open,openat,openat2,creat", calls.display());
    let strace: Vec<String> = strace.split(' ').map(str::to_owned).collect();
    let (code, output) = finish(&mut device.wrapped(&strace, &["install", &file.to_string_lossy()]));
    assert_eq!(code, 0, "{output}");
    let calls = fs::read_to_string(calls).expect("the calls");
    // The first process is ours; then comes the reload.
    let first = calls.split(' ').next().expect("a process id").to_owned();
    let ours: Vec<&str> = calls.lines().filter(|call| call.starts_with(&first) && call.contains(" open")).collect();
    assert!(ours.iter().any(|call| call.contains(".netify-licensed-")), "{calls}");
    for call in ours {
        assert!(call.contains("O_CLOEXEC"), "{call}");
    }
}

/// Names of others are theirs, even where they look alike.
#[test]
fn what_a_killed_writer_left_is_cleared_away() {
    let device = device();
    let leftover = |name: &str| fs::write(device.path("netifyd").join(name), "half a lic").expect("written");
    leftover(".license.json.netify-licensed-4711-0");
    for name in ["license.json.netify-licensed-1", ".other.json.netify-licensed-1-0", ".license.json.swp"] {
        leftover(name);
    }
    device.install(&device.genuine(3 * DAY));
    let mut names: Vec<_> =
        fs::read_dir(device.path("netifyd")).expect("a directory").flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    let wanted =
        [".license.json.swp", ".other.json.netify-licensed-1-0", "license.json", "license.json.netify-licensed-1"];
    assert_eq!(names, wanted);
}
