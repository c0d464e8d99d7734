use syn::{GenericArgument, PathArguments, PathSegment, Type};

/// The last segment of a type's path, by which types are recognised: a macro
/// sees tokens.
pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        // A type that went through a `macro_rules!` comes in such a group.
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        _ => None,
    }
}

/// The first type among a segment's arguments: `T` of `Option<T>`.
pub(crate) fn first_argument(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}
