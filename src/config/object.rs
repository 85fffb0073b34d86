//! Declares what is written once: an object's fields, a choice of members, a choice of names.

/// An object of the document: from one list of fields its type, the names that are allowed in it, how it is read, and
/// its schema, in which the comment of a field describes it.
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
        $($(#[doc = $field_doc:literal])* $presence:ident $field:ident $(as $key:literal)?: $type:ty $(= $default:expr)?,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(in crate::config) struct $name {
            $($(#[doc = $field_doc])* pub $field: object!(@type $presence $type),)*
        }

        #[cfg(feature = "cli")]
        impl $crate::config::schema::Describe for $name {
            fn describe(dialect: $crate::config::schema::Dialect) -> serde_json::Value {
                let mut members = $crate::config::schema::Members::default();
                $(members.add(
                    object!(@key $field $($key)?),
                    stringify!($presence) == "required",
                    concat!($($field_doc),*),
                    object!(@describe dialect, $type $(, $default)?),
                );)*
                members.into_schema()
            }
        }

        impl $name {
            pub const FIELDS: &[&str] = &[$(object!(@key $field $($key)?)),*];
        }

        impl Decode for $name {
            fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
                reader.members(node, path, "field", Self::FIELDS)?;
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

    (@describe $dialect:ident, $type:ty) => {
        <$type as $crate::config::schema::Describe>::describe($dialect)
    };
    (@describe $dialect:ident, $type:ty, $default:expr) => {{
        let (schema, default): (_, $type) = (object!(@describe $dialect, $type), $default);
        $crate::config::schema::with_default(schema, &default, $dialect)
    }};

    (@type optional $type:ty) => { Option<Option<$type>> };
    (@type $presence:ident $type:ty) => { Option<$type> };

    (@read required $member:ident, $path:ident, $reader:ident) => {
        match $member {
            Some(node) => Decode::decode(node, &$path, $reader),
            None => $reader.required(&$path),
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

/// An object that has exactly one of a few members, and may have those that it is declared with `besides`. In the schema
/// the comment of a member describes it.
macro_rules! one_of {
    ($(#[$doc:meta])* $name:ident, $what:literal, besides [$($besides:expr),*] {
        $($(#[doc = $member_doc:literal])* $key:literal => $variant:ident($type:ty),)*
    }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(in crate::config) enum $name {
            $($(#[doc = $member_doc])* $variant($type),)*
        }

        #[cfg(feature = "cli")]
        impl $crate::config::schema::Describe for $name {
            fn describe(dialect: $crate::config::schema::Dialect) -> serde_json::Value {
                let mut members = $crate::config::schema::Members::default();
                $(members.add(
                    $key,
                    false,
                    concat!($($member_doc),*),
                    <$type as $crate::config::schema::Describe>::describe(dialect),
                );)*
                members.into_choice(&[$($key),*])
            }
        }

        impl $name {
            pub const FIELDS: &[&str] = &[$($key,)* $($besides,)*];
        }

        impl Decode for $name {
            fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
                const NAMES: &[&str] = &[$($key),*];
                let (place, node) = reader.only_member(node, path, $what, NAMES, Self::FIELDS)?;
                let name = *NAMES.get(place)?;
                let path = path.member(name);
                match name {
                    $($key => Decode::decode(node, &path, reader).map(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

/// A choice of names: what each of them means. After `or` stands what else could be written in their place.
macro_rules! names {
    ($type:ty, $what:literal $(or $besides:literal)? { $($name:literal => $value:expr,)* }) => {
        impl Decode for $type {
            fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
                const NAMES: &[&str] = &[$($name),*];
                const VALUES: &[$type] = &[$($value),*];
                let place = reader.choice(node, path, $what, NAMES, concat!($(", or ", $besides)?))?;
                VALUES.get(place).copied()
            }
        }

        #[cfg(feature = "cli")]
        impl $crate::config::schema::Describe for $type {
            fn describe(_: $crate::config::schema::Dialect) -> serde_json::Value {
                serde_json::json!({ "enum": [$($name),*] })
            }
        }

        #[cfg(feature = "cli")]
        impl $crate::config::schema::Written for $type {
            fn written(&self) -> Option<serde_json::Value> {
                let mut names = [$(($name, $value)),*].into_iter();
                names.find_map(|(name, value)| (value == *self).then(|| name.into()))
            }
        }
    };
}

pub(super) use {names, object, one_of};
