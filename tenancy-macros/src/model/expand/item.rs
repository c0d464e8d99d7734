//! The user's struct, with the derives it has not got already.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse_quote;
use syn::punctuated::Punctuated;
use syn::{Attribute, Path, Token};

use super::super::ir::Model;
use super::super::item::nested;
use super::Names;
use super::input::column_name;

pub(super) fn expand(model: &Model, names: &Names<'_>) -> TokenStream {
    let mut item = model.item.clone();
    let Names { private, table, .. } = names;
    let keys = model.key_columns();
    let keys = keys.iter().map(|column| &column.name.rust);

    let derived = derived(&item.attrs);
    let missing = wanted(model, private).into_iter().filter(|path| {
        let name = last(path);
        !derived.contains(&name)
    });
    let derive: Attribute = parse_quote!(#[derive(#(#missing),*)]);
    // Ours comes first, so that `#[serde(…)]` and `#[diesel(…)]` of the user's
    // stand after the derive that gives them a meaning.
    item.attrs.insert(0, derive);
    if !nested(&item.attrs, "serde")
        .iter()
        .any(|meta| meta.path().is_ident("crate"))
    {
        let serde = names.krate.private_path("serde");
        item.attrs.push(parse_quote!(#[serde(crate = #serde)]));
    }
    let check = model
        .is_sound()
        .then(|| quote!(, check_for_backend(::diesel::pg::Pg)));
    item.attrs
        .push(parse_quote!(#[diesel(table_name = #table, primary_key(#(#keys),*) #check)]));

    for (field, column) in item.fields.iter_mut().zip(&model.columns) {
        field.attrs.extend(column_name(column));
    }
    quote!(#item)
}

fn wanted(model: &Model, private: &TokenStream) -> Vec<Path> {
    let mut wanted: Vec<Path> = vec![
        parse_quote!(Debug),
        parse_quote!(Clone),
        parse_quote!(#private::serde::Serialize),
        parse_quote!(::diesel::Selectable),
    ];
    // These two ask for columns and keys without a mistake; see `unsound` for the rest.
    if model.is_sound() {
        wanted.push(parse_quote!(::diesel::Queryable));
        wanted.push(parse_quote!(::diesel::Identifiable));
    }
    wanted
}

/// The last segments of everything the user derives.
fn derived(attributes: &[Attribute]) -> Vec<String> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("derive"))
        .filter_map(|attribute| {
            attribute
                .parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated)
                .ok()
        })
        .flatten()
        .map(|path| last(&path))
        .collect()
}

fn last(path: &Path) -> String {
    path.segments
        .last()
        .map(|segment| segment.ident.to_string())
        .unwrap_or_default()
}
