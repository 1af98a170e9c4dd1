//! `multipart/form-data` bodies, for the few calls that are not JSON.
//!
//! Source: RFC 7578.

use std::fmt;

use envc_core::Digest;

/// One part of a form.
#[derive(Clone, PartialEq, Eq)]
pub struct FormPart {
    /// The field's name.
    pub name: String,
    /// The file's name, for parts that are files.
    pub file_name: Option<String>,
    /// What the content is.
    pub content_type: &'static str,
    /// The content; it may hold secrets, so it is never printed.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for FormPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FormPart({}, {}, {} bytes)", self.name, self.content_type, self.bytes.len())
    }
}

/// The body of a form, and the header's value that says how to read it.
pub(crate) fn encode(parts: &[FormPart]) -> (String, Vec<u8>) {
    // What separates the parts holds a digest of them, so that it cannot stand in any of them.
    let mut all = Vec::new();
    for part in parts {
        all.extend(Digest::of(&part.bytes).as_str().as_bytes());
    }
    let boundary = format!("envc-{}", Digest::of(&all));
    let mut body = Vec::with_capacity(parts.iter().map(|part| part.bytes.len() + 512).sum());
    for part in parts {
        let mut head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"");
        head.push_str(&quoted(&part.name));
        head.push('"');
        if let Some(name) = &part.file_name {
            head.push_str("; filename=\"");
            head.push_str(&quoted(name));
            head.push('"');
        }
        head.push_str("\r\nContent-Type: ");
        head.push_str(part.content_type);
        head.push_str("\r\n\r\n");
        body.extend(head.as_bytes());
        body.extend(&part.bytes);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

/// A name between quotes, escaped as browsers do.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_what_the_rfc_says_and_shows_no_content() {
        let part = |name: &str, file_name: Option<&str>, bytes: &[u8]| FormPart {
            name: name.into(),
            file_name: file_name.map(str::to_owned),
            content_type: "text/plain",
            bytes: bytes.to_vec(),
        };
        let parts = [part("metadata", None, b"s3cret"), part("a\"b", Some("a\"b"), b"\r\n--x\0")];
        let (header, body) = encode(&parts);
        let boundary = header.strip_prefix("multipart/form-data; boundary=").unwrap();
        // RFC 2046: at most 70 characters.
        assert!(boundary.len() <= 70, "{boundary}");
        let text = String::from_utf8(body).unwrap().replace(boundary, "BOUNDARY");
        assert_eq!(
            text,
            "--BOUNDARY\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\
             Content-Type: text/plain\r\n\r\ns3cret\r\n\
             --BOUNDARY\r\nContent-Disposition: form-data; name=\"a%22b\"; filename=\"a%22b\"\r\n\
             Content-Type: text/plain\r\n\r\n\r\n--x\0\r\n--BOUNDARY--\r\n"
        );
        assert!(!format!("{parts:?}").contains("s3cret"));
    }
}
