//! The constant tables beside the closures: what the function, its operators and its stages are called.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use super::Emitter;
use crate::hygiene;
use crate::lower::{Branch, Stage};

/// Emits `__FUNCTION`, `__OPERATORS` and one `__STAGE` per stage.
pub(super) fn plan(emitter: &Emitter<'_>, function: &Ident) -> TokenStream {
    let name = function.to_string();
    let operators = emitter.program.operators.iter().map(|node| {
        let applied = emitter.topology.node(*node).applied().expect("planned nodes are operators");
        let (name, id) = (applied.operator.name, &applied.id);
        // The user's own span, without the names of the macro: it decides what `line!` says.
        quote_spanned! {applied.name.span()=>
            ::streamflow::__private::Operator {
                function: &__FUNCTION, name: #name, id: #id, line: ::core::line!(), column: ::core::column!(),
            }
        }
    });
    let count = emitter.program.operators.len();
    let stages = emitter.program.stages.iter().enumerate().map(|(number, stage)| stage_plan(emitter, number, stage));
    quote! {
        static __FUNCTION: ::streamflow::__private::Function = ::streamflow::__private::Function {
            name: #name, module: ::core::module_path!(), file: ::core::file!(),
        };
        #[allow(dead_code)]
        static __OPERATORS: [::streamflow::__private::Operator; #count] = [#(#operators),*];
        #(#stages)*
    }
}

fn stage_plan(emitter: &Emitter<'_>, number: usize, stage: &Stage) -> TokenStream {
    let span = hygiene::at(emitter.topology.node(stage.input).span);
    let name = Ident::new(&format!("__STAGE{number}"), span);
    let mut fused = Vec::new();
    preorder(emitter, &stage.branches, 0, &mut fused);
    quote_spanned! {span=>
        static #name: ::streamflow::__private::StagePlan =
            ::streamflow::__private::StagePlan { fused: &[#(#fused),*] };
    }
}

fn preorder(emitter: &Emitter<'_>, branches: &[Branch], depth: u16, fused: &mut Vec<TokenStream>) {
    for branch in branches {
        if let Branch::Operator { node, branches, .. } = branch {
            let index = emitter.program.index_of(*node);
            let depth_literal = proc_macro2::Literal::u16_unsuffixed(depth);
            fused.push(quote! {
                ::streamflow::__private::Fused { operator: &__OPERATORS[#index], depth: #depth_literal }
            });
            preorder(emitter, branches, depth + 1, fused);
        }
    }
}
