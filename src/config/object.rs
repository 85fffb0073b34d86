//! Declares a written object once: its fields, which are required, what the others are when left out.

/// An object of the document: from one list of fields its type, the names that are allowed in it, and how it
/// is read.
///
/// Every field is read into an `Option` whose `None` is a hole (see [`super::decode`]):
/// - `required`: leaving it out is an error;
/// - `default … = value`: what it is when left out;
/// - `section`: an object that, left out, has all its defaults;
/// - `optional`: when left out it is `Some(None)`.
///
/// `as "name"` gives the JSON name where it is not the field's.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$field_doc:meta])* $presence:ident $field:ident $(as $key:literal)?: $type:ty $(= $default:expr)?,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(super) struct $name {
            $($(#[$field_doc])* pub $field: object!(@type $presence $type),)*
        }

        impl Decode for $name {
            fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
                reader.members(node, path, &[$(object!(@key $field $($key)?)),*])?;
                Some(Self {
                    $($field: {
                        let name = object!(@key $field $($key)?);
                        let (member, path) = (node.member(name), path.member(name));
                        object!(@read $presence member, path, reader $(, $default)?)
                    },)*
                })
            }
        }
    };

    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };

    (@type optional $type:ty) => { Option<Option<$type>> };
    (@type $presence:ident $type:ty) => { Option<$type> };

    (@read required $member:ident, $path:ident, $reader:ident) => {
        match $member {
            Some(node) => Decode::decode(node, &$path, $reader),
            None => $reader.refuse(&$path, REQUIRED),
        }
    };
    (@read default $member:ident, $path:ident, $reader:ident, $default:expr) => {
        match $member {
            Some(node) => Decode::decode(node, &$path, $reader),
            None => Some($default),
        }
    };
    (@read section $member:ident, $path:ident, $reader:ident) => {
        Decode::decode($member.unwrap_or(&Node::Object(Vec::new())), &$path, $reader)
    };
    (@read optional $member:ident, $path:ident, $reader:ident) => {
        match $member {
            Some(node) => Decode::decode(node, &$path, $reader).map(Some),
            None => Some(None),
        }
    };
}

/// A choice of names: what each of them means.
macro_rules! names {
    ($type:ty, $what:literal { $($name:literal => $value:expr,)* }) => {
        impl Named for $type {
            const WHAT: &'static str = $what;
            const NAMES: &'static [(&'static str, Self)] = &[$(($name, $value)),*];
        }

        impl Decode for $type {
            fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
                named(node, path, reader)
            }
        }
    };
}

pub(super) use {names, object};
