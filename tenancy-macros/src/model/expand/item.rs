//! The user's struct, with the derives it has not got already.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse_quote;
use syn::{Attribute, Path};

use super::super::ir::{Audience, Model};
use super::super::item::{derives, nested};
use super::input::column_name;
use super::{Names, schema};

pub(super) fn expand(model: &Model, names: &Names<'_>) -> TokenStream {
    let mut item = model.item.clone();
    let Names { private, table, .. } = names;
    let keys = model.key_columns();
    let keys = keys.iter().map(|column| &column.name.rust);

    let derived: Vec<String> = derives(&item.attrs).iter().map(last).collect();
    let derives_serde = |name: &String| name == "Serialize" || name == "Deserialize";
    let serializes = model.derives("Serialize") || derived.iter().any(derives_serde);
    let described = derived.iter().all(|name| name != schema::JSON_SCHEMA) && serializes;
    let schema = schema::derive(model, names).filter(|_| described);
    let missing = wanted(model, private).into_iter().chain(schema.clone());
    let missing = missing.filter(|path| {
        let name = last(path);
        !derived.contains(&name) && model.derives(&name)
    });
    let derive: Attribute = parse_quote!(#[derive(#(#missing),*)]);
    // Ours comes first, so that `#[serde(…)]` and `#[diesel(…)]` of the user's
    // stand after the derive that gives them a meaning.
    item.attrs.insert(0, derive);
    if !serializes {
        // Without a derive nobody knows them; what `New…` has of them stays there.
        let attributes = item.fields.iter_mut().map(|field| &mut field.attrs);
        for attributes in attributes.chain([&mut item.attrs]) {
            attributes.retain(|attribute| !attribute.path().is_ident("serde"));
        }
    }
    let names_crate = nested(&item.attrs, "serde")
        .iter()
        .any(|meta| meta.path().is_ident("crate"));
    if serializes && !names_crate {
        let serde = names.krate.private_path("serde");
        item.attrs.push(parse_quote!(#[serde(crate = #serde)]));
    }
    let check = model
        .is_sound()
        .then(|| quote!(, check_for_backend(::diesel::pg::Pg)));
    item.attrs
        .push(parse_quote!(#[diesel(table_name = #table, primary_key(#(#keys),*) #check)]));

    let mut beside = TokenStream::new();
    for (field, column) in item.fields.iter_mut().zip(&model.columns) {
        field.attrs.extend(column_name(column));
        if schema.is_some() {
            let of_field = schema::on_field(column, names, &item.ident, &column.ty, &field.attrs);
            field.attrs.extend(of_field.0);
            beside.extend(of_field.1);
        }
    }
    if schema.is_some() {
        item.attrs.push(schema::on_struct(names, None));
    }
    quote!(#item #beside)
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
        // With it, `diesel::update(&row)` would take one tenant's row for another's.
        if model.audience == Audience::Shared {
            wanted.push(parse_quote!(::diesel::Identifiable));
        }
    }
    wanted
}

fn last(path: &Path) -> String {
    path.segments
        .last()
        .map(|segment| segment.ident.to_string())
        .unwrap_or_default()
}
