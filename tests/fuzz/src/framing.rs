//! A second opinion on where messages end: an own reading of RFC 9112, as plain as can be.
//!
//! Knows a message's end or says that there is doubt; behind doubt nothing may be taken for a
//! message. Where the server is stricter it refuses and closes, which is fine. Never looks at what
//! is asked. Next: `http`.

/// What some bytes hold.
#[derive(Debug)]
pub(crate) struct Reading {
    /// The methods of the whole messages.
    pub(crate) methods: Vec<String>,
    /// What follows them.
    pub(crate) end: End,
    /// The method of what follows, as far as it can be seen.
    pub(crate) begun: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing.
    Clean,
    /// The beginning of a message, or something that is none.
    Doubt,
}

pub(crate) fn read(mut rest: &[u8]) -> Reading {
    let mut methods = Vec::new();
    loop {
        while let [b'\r', b'\n', behind @ ..] | [b'\n', behind @ ..] = rest {
            rest = behind;
        }
        if rest.is_empty() {
            return Reading { methods, end: End::Clean, begun: String::new() };
        }
        let method = method(rest);
        match message(rest) {
            Some(behind) => {
                methods.push(method);
                rest = behind;
            }
            None => return Reading { methods, end: End::Doubt, begun: method },
        }
    }
}

fn method(bytes: &[u8]) -> String {
    let word: Vec<u8> = bytes.iter().copied().take_while(u8::is_ascii_graphic).collect();
    String::from_utf8_lossy(&word).into_owned()
}

/// A line without its end; single line feeds end one in a head (RFC 9112, 2.2).
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let line = &bytes[..end];
    Some((line.strip_suffix(b"\r").unwrap_or(line), &bytes[end + 1..]))
}

/// What is behind the first message.
fn message(bytes: &[u8]) -> Option<&[u8]> {
    let (_, mut rest) = line(bytes)?;
    let (mut lengths, mut encodings) = (Vec::new(), Vec::new());
    loop {
        let (header, behind) = line(rest)?;
        rest = behind;
        if header.is_empty() {
            break;
        }
        let colon = header.iter().position(|byte| *byte == b':')?;
        let (name, value) =
            (header[..colon].to_ascii_lowercase(), header[colon + 1..].trim_ascii());
        match name.as_slice() {
            b"content-length" => lengths.push(value),
            b"transfer-encoding" => encodings.push(value),
            _ => {}
        }
    }
    match (lengths.as_slice(), encodings.as_slice()) {
        ([], []) => Some(rest),
        ([length], []) => {
            let plain = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
            let length: usize = str::from_utf8(length).ok().filter(|_| plain)?.parse().ok()?;
            rest.get(length..)
        }
        ([], [encoding]) if encoding.eq_ignore_ascii_case(b"chunked") => chunks(rest),
        _ => None,
    }
}

/// What is behind the last chunk. Trailers are not taken.
fn chunks(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = rest[..end].split(|byte| *byte == b';').next()?;
        let digits = size.trim_ascii_end();
        let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
        let size = str::from_utf8(digits).ok().filter(|_| plain)?;
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = &rest[end + 2..];
        if size > 0 {
            rest = rest.get(size..)?;
        }
        rest = rest.strip_prefix(b"\r\n")?;
        if size == 0 {
            return Some(rest);
        }
    }
}
