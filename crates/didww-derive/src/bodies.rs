//! Generates the bodies of create and update requests, and the marker trait of each verb.
//!
//! The functions are `#[inline]` so that a program compiles those of the types that it uses, and not those of all
//! types.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::Type;

use crate::declaration::{Access, Attr, Declaration, Rel};

pub(crate) fn write(declaration: &Declaration) -> TokenStream {
    let ident = &declaration.ident;
    let get = if declaration.is_singleton { "Singular" } else { "Gettable" };
    let markers = [("List", "Listable"), ("Get", get), ("Delete", "Deletable")]
        .into_iter()
        .filter(|(verb, _)| declaration.has(verb))
        .map(|(_, marker)| format_ident!("{marker}"))
        .map(|marker| quote! { impl ::didww_types::#marker for #ident {} });
    let create = (declaration.has("Create") && !declaration.has_form).then(|| create(declaration));
    let patch = declaration.has("Update").then(|| patch(declaration));
    quote! { #(#markers)* #create #patch }
}

/// One member of a request body.
struct Member<'a> {
    ident: &'a Ident,
    name: &'a str,
    doc: &'a str,
    /// For a required member, its position among the constructor's parameters.
    required: Option<usize>,
    shape: Shape<'a>,
}

enum Shape<'a> {
    Plain(&'a Type),
    Nullable(&'a Type),
    One(&'a Type),
    Many(&'a Type),
}

impl<'a> Member<'a> {
    fn attribute(attr: &'a Attr, required: Option<usize>) -> Self {
        let shape = attr.inner.as_ref().map_or(Shape::Plain(&attr.ty), Shape::Nullable);
        Self { ident: &attr.ident, name: &attr.name, doc: &attr.doc, required, shape }
    }

    fn relationship(rel: &'a Rel, required: Option<usize>) -> Self {
        let shape = if rel.many { Shape::Many(&rel.record) } else { Shape::One(&rel.record) };
        Self { ident: &rel.ident, name: &rel.name, doc: &rel.doc, required, shape }
    }

    /// The type of the value that the caller passes.
    fn value(&self) -> TokenStream {
        match self.shape {
            Shape::Plain(ty) | Shape::Nullable(ty) => quote!(#ty),
            Shape::One(record) => quote!(::didww_types::Id<#record>),
            Shape::Many(record) => quote!(Vec<::didww_types::Id<#record>>),
        }
    }

    /// The type of the body's field for this member.
    fn field(&self) -> TokenStream {
        let value = self.value();
        match (self.required, &self.shape) {
            (Some(_), _) => value,
            (None, Shape::Plain(_) | Shape::Many(_)) => quote!(Option<#value>),
            (None, Shape::Nullable(_) | Shape::One(_)) => quote!(::didww_types::Patch<#value>),
        }
    }

    fn declaration(&self) -> TokenStream {
        let (ident, doc, field) = (self.ident, self.doc, self.field());
        quote! { #[doc = #doc] pub #ident: #field }
    }

    fn setters(&self) -> TokenStream {
        let (ident, name, value) = (self.ident, self.name, self.value());
        let doc = format!("Sets `{name}`.");
        match self.shape {
            Shape::Plain(_) => quote! {
                #[doc = #doc]
                #[must_use]
                pub fn #ident(mut self, value: impl Into<#value>) -> Self {
                    self.#ident = Some(value.into());
                    self
                }
            },
            Shape::Many(record) => {
                let doc = format!("Replaces all members of `{name}`. No ids remove all of them.");
                quote! {
                    #[doc = #doc]
                    #[must_use]
                    pub fn #ident<I>(mut self, ids: I) -> Self
                    where
                        I: IntoIterator,
                        I::Item: Into<::didww_types::Id<#record>>,
                    {
                        self.#ident = Some(ids.into_iter().map(Into::into).collect());
                        self
                    }
                }
            }
            Shape::Nullable(_) | Shape::One(_) => {
                let clear = format_ident!("clear_{ident}");
                let clear_doc = format!("Sets `{name}` to null.");
                quote! {
                    #[doc = #doc]
                    #[must_use]
                    pub fn #ident(mut self, value: impl Into<#value>) -> Self {
                        self.#ident = ::didww_types::Patch::Set(value.into());
                        self
                    }

                    #[doc = #clear_doc]
                    #[must_use]
                    pub fn #clear(mut self) -> Self {
                        self.#ident = ::didww_types::Patch::Clear;
                        self
                    }
                }
            }
        }
    }

    /// The arm that calls the setter of a relationship by its name; none for an attribute.
    fn link(&self) -> Option<TokenStream> {
        let (ident, name) = (self.ident, self.name);
        match self.shape {
            Shape::Plain(_) | Shape::Nullable(_) => None,
            Shape::One(_) => Some(quote! { #name => Some(self.#ident(*ids.first()?)), }),
            Shape::Many(_) => Some(quote! { #name => Some(self.#ident(ids.iter().copied())), }),
        }
    }

    fn send(&self) -> TokenStream {
        let (ident, name) = (self.ident, self.name);
        match (self.required.is_some(), &self.shape) {
            (true, Shape::Plain(_) | Shape::Nullable(_)) => {
                quote! { support::send(&mut sent, #name, &self.#ident)?; }
            }
            (true, Shape::One(_)) => quote! {
                support::link_one(&mut sent, #name, &::didww_types::Patch::Set(self.#ident.clone()));
            },
            (true, Shape::Many(_)) => quote! { support::link_many(&mut sent, #name, &self.#ident); },
            (false, Shape::Plain(_)) => quote! {
                if let Some(value) = &self.#ident {
                    support::send(&mut sent, #name, value)?;
                }
            },
            (false, Shape::Nullable(_)) => quote! { support::send_patch(&mut sent, #name, &self.#ident)?; },
            (false, Shape::One(_)) => quote! { support::link_one(&mut sent, #name, &self.#ident); },
            (false, Shape::Many(_)) => quote! {
                if let Some(ids) = &self.#ident {
                    support::link_many(&mut sent, #name, ids);
                }
            },
        }
    }
}

/// Implements `Linkable` with the setters of the relationships.
fn linkable<'a>(body: &Ident, members: impl Iterator<Item = &'a Member<'a>>) -> TokenStream {
    let arms: Vec<TokenStream> = members.filter_map(Member::link).collect();
    let link = if arms.is_empty() {
        quote! {
            #[inline]
            fn link(self, _: &str, _: &[&str]) -> Option<Self> {
                None
            }
        }
    } else {
        quote! {
            #[inline]
            fn link(self, name: &str, ids: &[&str]) -> Option<Self> {
                match name {
                    #(#arms)*
                    _ => None,
                }
            }
        }
    };
    quote! { impl ::didww_types::derive_support::Linkable for #body { #link } }
}

fn create(declaration: &Declaration) -> TokenStream {
    let (ident, vis, companion) = (&declaration.ident, &declaration.vis, Declaration::companion());
    let body = declaration.named("Create");
    let required =
        |access: Access| if let Access::Required(position) = access { Some(position) } else { None };
    let attributes = declaration.attributes.iter().filter(|attr| attr.create != Access::Never);
    let relationships = declaration.relationships.iter().filter(|rel| rel.create != Access::Never);
    let members: Vec<Member<'_>> = attributes
        .map(|attr| Member::attribute(attr, required(attr.create)))
        .chain(relationships.map(|rel| Member::relationship(rel, required(rel.create))))
        .collect();

    let mut parameters: Vec<&Member<'_>> =
        members.iter().filter(|member| member.required.is_some()).collect();
    parameters.sort_by_key(|member| member.required);
    let (names, types): (Vec<&Ident>, Vec<TokenStream>) =
        parameters.iter().map(|member| (member.ident, member.value())).unzip();
    let optional: Vec<&Member<'_>> = members.iter().filter(|member| member.required.is_none()).collect();
    let optional_names = optional.iter().map(|member| member.ident);

    let linkable = linkable(&body, optional.iter().copied());
    let fields = members.iter().map(Member::declaration);
    let setters = optional.iter().map(|member| member.setters());
    let sends = members.iter().map(Member::send);
    let doc = format!("The body of a request that creates a [`{ident}`].");
    let new_doc = "Creates a body with the required members. The service sets its default for every other \
                   member that is not set.";
    let create_doc = format!("Creates a [`{body}`] with the required members.");
    quote! {
        #companion
        #[doc = #doc]
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        #vis struct #body { #(#fields,)* }

        #companion
        impl #body {
            #[doc = #new_doc]
            pub fn new(#(#names: impl Into<#types>),*) -> Self {
                Self {
                    #(#names: #names.into(),)*
                    #(#optional_names: Default::default(),)*
                }
            }

            #(#setters)*
        }

        #companion
        impl #ident {
            #[doc = #create_doc]
            pub fn create(#(#names: impl Into<#types>),*) -> #body {
                #body::new(#(#names),*)
            }
        }

        impl ::didww_types::Create for #body {
            #[inline]
            fn to_sent(&self) -> Result<::didww_types::Sent, ::didww_types::DecodeError> {
                use ::didww_types::derive_support as support;
                let mut sent = ::didww_types::Sent::default();
                #(#sends)*
                Ok(sent)
            }
        }

        #linkable

        impl ::didww_types::Creatable for #ident {
            type Create = #body;
        }
    }
}

fn patch(declaration: &Declaration) -> TokenStream {
    let (ident, vis, companion) = (&declaration.ident, &declaration.vis, Declaration::companion());
    let body = declaration.named("Patch");
    let attributes: Vec<&Attr> = declaration.attributes.iter().filter(|attr| attr.update).collect();
    let members: Vec<Member<'_>> = attributes
        .iter()
        .map(|attr| Member::attribute(attr, None))
        .chain(
            declaration
                .relationships
                .iter()
                .filter(|rel| rel.update)
                .map(|rel| Member::relationship(rel, None)),
        )
        .collect();
    let linkable = linkable(&body, members.iter());
    let fields = members.iter().map(Member::declaration);
    let setters = members.iter().map(Member::setters);
    let sends = members.iter().map(Member::send);
    let changes = attributes.iter().map(|attr| {
        let ident = &attr.ident;
        let value = if attr.inner.is_some() {
            quote!(self.#ident.clone().into())
        } else {
            quote!(Some(self.#ident.clone()))
        };
        quote! {
            if self.#ident != before.#ident {
                patch.#ident = #value;
            }
        }
    });
    let doc = format!(
        "The body of a request that updates a [`{ident}`]. Members that are not set keep their values."
    );
    let changes_doc = "Returns a body with the attributes that differ from `before`. Relationships are not \
                       compared; set them on the returned body.";
    quote! {
        #companion
        #[doc = #doc]
        #[derive(Debug, Clone, PartialEq, Default)]
        #[non_exhaustive]
        #vis struct #body { #(#fields,)* }

        #companion
        impl #body {
            #[doc = "Creates an empty body, which changes nothing."]
            pub fn new() -> Self {
                Self::default()
            }

            #(#setters)*
        }

        #companion
        impl #ident {
            #[doc = "Creates an empty update body, which changes nothing."]
            pub fn patch() -> #body {
                #body::default()
            }

            #[doc = #changes_doc]
            #[inline]
            pub fn changes_since(&self, before: &Self) -> #body {
                let mut patch = #body::default();
                #(#changes)*
                patch
            }
        }

        impl ::didww_types::Update for #body {
            #[inline]
            fn to_sent(&self) -> Result<::didww_types::Sent, ::didww_types::DecodeError> {
                use ::didww_types::derive_support as support;
                let mut sent = ::didww_types::Sent::default();
                #(#sends)*
                Ok(sent)
            }

            #[inline]
            fn is_empty(&self) -> bool {
                *self == Self::default()
            }
        }

        #linkable

        impl ::didww_types::Updatable for #ident {
            type Patch = #body;

            #[inline]
            fn changes_since(&self, before: &Self) -> #body {
                #ident::changes_since(self, before)
            }
        }
    }
}
