//! Which tables are two different ones.
//!
//! Diesel asks for that wherever two tables stand in one query, and wants an
//! `impl` for each pair of them (`allow_tables_to_appear_in_same_query!`). A
//! macro that sees one model cannot write those. So a table's name becomes a
//! type, bit by bit, and the compiler compares names: the tables of all models
//! may appear together, whether they refer to each other or not.
//!
//! Each trait here is told for which table it is asked. Without that type of
//! the user's own crate, the compiler would have to assume that a later version
//! of this crate says otherwise, and refuse the `impl`s as conflicting.

/// One bit of a name.
#[derive(Debug)]
pub struct Bit<const SET: bool>;

/// A table whose name is a type, for comparisons with `Beside`.
pub trait Named<Beside> {
    /// Some bits of the name's hash, nested in pairs.
    type Name;
}

/// Names that differ in a bit.
pub trait Differs<Name, Beside> {}

impl<A, B, Beside> Differs<(Bit<true>, B), Beside> for (Bit<false>, A) {}
impl<A, B, Beside> Differs<(Bit<false>, B), Beside> for (Bit<true>, A) {}
impl<A, B, Beside> Differs<(Bit<true>, B), Beside> for (Bit<true>, A) where A: Differs<B, Beside> {}
impl<A, B, Beside> Differs<(Bit<false>, B), Beside> for (Bit<false>, A) where A: Differs<B, Beside> {}

/// A table that is not `This`.
pub trait Apart<This> {}

impl<This, Other> Apart<This> for Other
where
    This: Named<This>,
    Other: Named<This>,
    <This as Named<This>>::Name: Differs<<Other as Named<This>>::Name, This>,
{
}

/// Whether a bit of a name's hash is set ([FNV-1a]). Of two names that agree in
/// all that are compared, one in 2³², the tables could not be joined.
///
/// [FNV-1a]: https://www.rfc-editor.org/rfc/rfc9923
#[must_use]
pub const fn bit_of_name(name: &str, bit: u32) -> bool {
    let name = name.as_bytes();
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < name.len() {
        hash = (hash ^ name[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    (hash >> bit) & 1 == 1
}

/// A name as a type: the given bits of its hash.
#[doc(hidden)]
#[macro_export]
macro_rules! __name {
    ($name:literal) => {
        $crate::__name!($name:
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31)
    };
    ($name:literal:) => { () };
    ($name:literal: $bit:literal $($more:literal)*) => {
        (
            $crate::model::Bit<{ $crate::model::bit_of_name($name, $bit) }>,
            $crate::__name!($name: $($more)*),
        )
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Users;
    struct Todos;
    impl<Beside> Named<Beside> for Users {
        type Name = crate::__name!("users");
    }
    impl<Beside> Named<Beside> for Todos {
        type Name = crate::__name!("todos");
    }

    #[test]
    fn a_table_is_apart_from_every_other_and_not_from_itself() {
        // Its own constant hides the trait's, where its condition holds.
        struct Ask<This, Other>(std::marker::PhantomData<(This, Other)>);
        impl<This, Other: Apart<This>> Ask<This, Other> {
            const IS: bool = true;
        }
        trait Otherwise {
            const IS: bool = false;
        }
        impl<This, Other> Otherwise for Ask<This, Other> {}
        let apart = [Ask::<Users, Todos>::IS, Ask::<Todos, Users>::IS];
        let itself = [Ask::<Users, Users>::IS, Ask::<Todos, Todos>::IS];
        assert_eq!((apart, itself), ([true; 2], [false; 2]));
    }
}
