//! From bytes to a document of one provider: encoding, recognition, typed reading.

use serde::Deserialize;

use super::error::LoadError;
use super::fields::Unread;
use super::provider::Provider;
use super::source::{At, Source};
use crate::model::Place;
use crate::wire::{List, Outline, Shape, alibaba, aws, peek};

/// A document that was recognised and read.
#[derive(Debug)]
pub(super) enum Document {
    Aws(Box<aws::Answer>),
    Alibaba(Box<alibaba::Answer>),
    /// Rules as the console of Alibaba Cloud exports them (ALI-86).
    AlibabaRules(Vec<alibaba::Permission>),
    /// `{"Entries": []}`, which both providers answer about an empty list.
    NoEntries {
        next_token: bool,
    },
    /// Valid JSON, but none of these.
    Other,
}

impl Document {
    pub(super) fn provider(&self) -> Option<Provider> {
        match self {
            Self::Aws(_) => Some(Provider::Aws),
            Self::Alibaba(_) | Self::AlibabaRules(_) => Some(Provider::Alibaba),
            Self::NoEntries { .. } | Self::Other => None,
        }
    }
}

/// What a document looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Aws,
    Alibaba,
    AlibabaRules,
    NoEntries,
    Other,
}

/// Reads a document; warnings about its fields go to the source.
pub(super) fn read(source: &mut Source, bytes: &[u8]) -> Result<Document, LoadError> {
    let text = decode(source, bytes)?;
    if text.trim_ascii().is_empty() {
        return Err(LoadError::Syntax {
            place: source.place(At::ROOT),
            line: 1,
            column: 0,
            problem: "the document is empty".to_owned(),
        });
    }
    let mut outline = Outline::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let looked = peek(&mut json, &mut outline).and_then(|()| json.end());
    let form = recognise(&outline);
    // A broken document of a known form is read all the same, for the error then says where within it.
    if let Err(error) = looked {
        match form {
            Form::Aws => drop(typed::<aws::Answer>(source, text)?),
            Form::Alibaba => drop(typed::<alibaba::Answer>(source, text)?),
            Form::AlibabaRules => drop(typed::<List<alibaba::Permission>>(source, text)?),
            Form::NoEntries | Form::Other => {}
        }
        return Err(json_error(source, "", &error));
    }
    Ok(match form {
        Form::Aws => Document::Aws(Box::new(typed(source, text)?)),
        Form::Alibaba => Document::Alibaba(Box::new(typed(source, text)?)),
        Form::AlibabaRules => Document::AlibabaRules(typed::<List<_>>(source, text)?.0),
        Form::NoEntries => {
            let answer: aws::Answer = typed(source, text)?;
            Document::NoEntries { next_token: answer.next_token.get().is_some() }
        }
        Form::Other => Document::Other,
    })
}

fn decode<'b>(source: &Source, bytes: &'b [u8]) -> Result<&'b str, LoadError> {
    let wrong = |found: String| LoadError::Encoding { place: source.place(At::ROOT), found };
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, b'{' | b'[', ..] | [b'{' | b'[', 0, ..] => {
            return Err(wrong("UTF-16".to_owned()));
        }
        [0x1f, 0x8b, ..] => return Err(wrong("gzip data".to_owned())),
        _ => {}
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
        wrong(format!("the byte 0x{byte:02x} at offset {}", error.valid_up_to()))
    })
}

fn recognise(outline: &Outline) -> Form {
    match outline.shape {
        Shape::List if outline.first().is_some_and(is_permission) => Form::AlibabaRules,
        Shape::Object => recognise_object(outline),
        Shape::List | Shape::Scalar | Shape::Null => Form::Other,
    }
}

/// Whether an element of a bare list is a rule of Alibaba Cloud: the fields that every rule has.
fn is_permission(outline: &Outline) -> bool {
    outline.has("IpProtocol") && (outline.has("Policy") || outline.has("Direction") || outline.has("NicType"))
}

fn recognise_object(outline: &Outline) -> Form {
    let shape = |field: &str| outline.field(field).map(|value| value.shape);
    let first_has =
        |list: &str, field: &str| outline.field(list).and_then(Outline::first).is_some_and(|first| first.has(field));
    // Unwrapped lists of Alibaba Cloud are told by their elements.
    let alibaba_list = |field: &str, mark: &str| match shape(field) {
        Some(Shape::Object) => true,
        Some(Shape::List) => first_has(field, mark),
        _ => false,
    };
    let alibaba = alibaba_list("SecurityGroups", "SecurityGroupId")
        || alibaba_list("Instances", "VpcAttributes")
        || alibaba_list("Instances", "InstanceNetworkType")
        || outline.has("NetworkInterfaceSets")
        || (outline.has("SecurityGroupId") && (outline.has("Permissions") || outline.has("InnerAccessPolicy")))
        || outline.has("Permissions")
        || shape("Permission") == Some(Shape::List)
        || (outline.has("PrefixListId") && outline.has("Entries"))
        || first_has("Entries", "PortRange");
    if alibaba {
        return Form::Alibaba;
    }
    let aws =
        ["SecurityGroups", "SecurityGroupRules", "NetworkInterfaces", "Reservations", "PrefixLists", "Vpcs", "Subnets"]
            .into_iter()
            .any(|field| matches!(shape(field), Some(Shape::List | Shape::Null)));
    if aws || first_has("Entries", "Cidr") {
        return Form::Aws;
    }
    match outline.field("Entries") {
        Some(entries) if entries.shape == Shape::List && entries.first().is_none() => Form::NoEntries,
        _ => Form::Other,
    }
}

/// Reads the whole document into a type, with the path, line and column of an error, and a warning
/// for every field that nobody read although it looks like rules.
fn typed<T: for<'de> Deserialize<'de>>(source: &mut Source, text: &str) -> Result<T, LoadError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let mut unread = Unread::default();
    let mut note = |path: serde_ignored::Path<'_>| unread.note(&path);
    let fields = serde_ignored::Deserializer::new(&mut json, &mut note);
    let value = serde_path_to_error::deserialize(fields).map_err(|error| {
        let path = error.path().to_string();
        // The root is written as a dot.
        let path = if path == "." { "" } else { path.as_str() };
        json_error(source, path, error.inner())
    })?;
    json.end().map_err(|error| json_error(source, "", &error))?;
    unread.warn(source);
    Ok(value)
}

fn json_error(source: &Source, path: &str, error: &serde_json::Error) -> LoadError {
    // The fallible field of an object is named by `?` when the error is in its name.
    let path = path.trim_end_matches('?').trim_end_matches('.');
    let place = Place::new(source.name.clone(), path);
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let problem = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
    if error.is_data() {
        let parts = problem
            .strip_prefix("invalid type: ")
            .or_else(|| problem.strip_prefix("invalid value: "))
            .and_then(|rest| rest.rsplit_once(", expected "));
        if let Some((found, expected)) = parts {
            return LoadError::Shape { place, line, column, found: found_words(found), expected: expected.to_owned() };
        }
        if let Some(field) = problem.strip_prefix("duplicate field `").and_then(|rest| rest.strip_suffix('`')) {
            return LoadError::RepeatedField { place, field: field.to_owned(), line, column };
        }
    }
    LoadError::Syntax { place, line, column, problem: problem.to_owned() }
}

/// What serde calls a value, in the words of JSON.
fn found_words(found: &str) -> String {
    match found {
        "map" => "an object".to_owned(),
        "sequence" => "a list".to_owned(),
        "null" | "an object without it" => found.to_owned(),
        // Of a string that is too long, its length is told.
        _ if found.starts_with("one of ") => found.to_owned(),
        _ => {
            let value = ["string ", "integer ", "boolean ", "floating point "]
                .into_iter()
                .find_map(|kind| found.strip_prefix(kind))
                .unwrap_or(found);
            let value = value.strip_prefix(['"', '`']).and_then(|v| v.strip_suffix(['"', '`'])).unwrap_or(value);
            format!("`{value}`")
        }
    }
}
