//! The options of an attribute.

use syn::meta::ParseNestedMeta;
use syn::{Field, Ident, Result};

use super::filter::{FilterOptions, filter_options};
use super::options::{Access, access, default_value, referring, revision, sums, texts, version};
use super::{Attr, argument_of, doc};

impl Attr {
    /// An attribute without options.
    pub(super) fn new(ident: Ident, field: &Field) -> Self {
        Self {
            name: ident.to_string(),
            ident,
            ty: field.ty.clone(),
            inner: argument_of(&field.ty, "Option"),
            doc: doc(&field.attrs),
            create: Access::Never,
            update: false,
            since: None,
            shown_since: None,
            shown_until: None,
            default: None,
            default_since: None,
            unique: false,
            unique_everywhere: false,
            unique_among: None,
            parameter: false,
            merged: false,
            write_only: false,
            sort: false,
            value: None,
            revision: None,
            values_need: Vec::new(),
            answered: Vec::new(),
            sums: Vec::new(),
            total: Vec::new(),
        }
    }

    /// Reads an option, or the filter of the attribute.
    pub(super) fn read(
        &mut self,
        meta: &ParseNestedMeta<'_>,
        filter: &mut Option<FilterOptions>,
    ) -> Result<()> {
        if meta.path.is_ident("create") {
            self.create = access(meta)?;
        } else if meta.path.is_ident("update") {
            self.update = true;
        } else if meta.path.is_ident("since") {
            self.since = Some(version(&meta.value()?.parse()?)?);
        } else if meta.path.is_ident("shown_since") {
            self.shown_since = Some(version(&meta.value()?.parse()?)?);
        } else if meta.path.is_ident("shown_until") {
            self.shown_until = Some(version(&meta.value()?.parse()?)?);
        } else if meta.path.is_ident("default") {
            self.default = Some(default_value(meta.value()?)?);
        } else if meta.path.is_ident("default_since") {
            self.default_since = Some(version(&meta.value()?.parse()?)?);
        } else if meta.path.is_ident("unique") {
            self.unique = true;
        } else if meta.path.is_ident("unique_everywhere") {
            self.unique_everywhere = true;
        } else if meta.path.is_ident("unique_among") {
            self.unique = true;
            self.unique_among = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("parameter") {
            self.parameter = true;
        } else if meta.path.is_ident("merged") {
            self.merged = true;
        } else if meta.path.is_ident("write_only") {
            self.write_only = true;
        } else if meta.path.is_ident("sort") {
            self.sort = true;
        } else if meta.path.is_ident("value") {
            self.value = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("values_need") {
            meta.parse_nested_meta(|value| {
                let name = value.path.require_ident()?.to_string();
                self.values_need.push((name, value.value()?.parse()?));
                Ok(())
            })?;
        } else if meta.path.is_ident("answered") {
            self.answered = texts(meta)?;
        } else if meta.path.is_ident("revised") {
            self.revision = Some(revision(meta)?);
        } else if meta.path.is_ident("sum") {
            self.sums = sums(meta)?;
        } else if meta.path.is_ident("referred") {
            self.sums = referring(meta)?;
        } else if meta.path.is_ident("total") {
            self.total = texts(meta)?;
        } else if meta.path.is_ident("filter") {
            *filter = Some(filter_options(meta)?);
        } else {
            return Err(meta.error(
                "unknown option; known: create, update, since, shown_since, shown_until, default, default_since, \
                 unique, unique_everywhere, unique_among, parameter, merged, write_only, sort, value, revised, \
                 values_need, answered, sum, referred, total, filter",
            ));
        }
        Ok(())
    }
}
