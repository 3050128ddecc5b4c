#[allow(clippy::type_complexity)]
fn union(here: DStream<u32>, there: DStream<str>) -> DStream<u32> {
    static __FUNCTION: ::streamflow::__private::Function = ::streamflow::__private::Function {
        name: "union",
        module: ::core::module_path!(),
        file: ::core::file!(),
    };
    #[allow(dead_code)]
    static __OPERATORS: [::streamflow::__private::Operator; 3usize] = [
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "filter_map",
            id: "result.filter_map",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "union",
            id: "result.union",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "distinct",
            id: "result.distinct",
            line: ::core::line!(),
            column: ::core::column!(),
        },
    ];
    static __STAGE0: ::streamflow::__private::StagePlan = ::streamflow::__private::StagePlan {
        fused: &[
            ::streamflow::__private::Fused {
                operator: &__OPERATORS[1usize],
                depth: 0,
            },
        ],
    };
    static __STAGE1: ::streamflow::__private::StagePlan = ::streamflow::__private::StagePlan {
        fused: &[
            ::streamflow::__private::Fused {
                operator: &__OPERATORS[0usize],
                depth: 0,
            },
            ::streamflow::__private::Fused {
                operator: &__OPERATORS[1usize],
                depth: 1,
            },
        ],
    };
    #[allow(unused_imports)]
    use ::streamflow::__private::{
        HowFirst as _, HowId as _, HowSecond as _, HowView as _, Views as _,
    };
    let __scope = ::streamflow::__private::Scope::enter(&__FUNCTION);
    let __sink0 = ::streamflow::__private::sink::Distinct::new();
    __sink0.yields::<u32>();
    let __port0_0 = __sink0.port();
    let __port0_1 = __sink0.port();
    #[allow(
        unused_braces,
        unused_parens,
        for_loops_over_fallibles,
        clippy::blocks_in_conditions,
        clippy::let_and_return,
        clippy::let_unit_value,
        clippy::manual_flatten,
        clippy::needless_borrow,
        clippy::redundant_locals,
        clippy::unit_arg,
        clippy::useless_conversion,
        clippy::explicit_counter_loop
    )]
    ::streamflow::__private::input(&here)
        .stage(
            &__STAGE0,
            (__port0_0,),
            {
                move |mut __part, __out| {
                    for __chunk in __part.chunks() {
                        for __x in __chunk {
                            let __at2 = ::streamflow::__private::At(
                                &__OPERATORS[2usize],
                            );
                            __out
                                .0
                                .push({
                                    let __l = __x;
                                    (&&&&::streamflow::__private::tag(&__l)).how().lift(__l)
                                });
                            ::core::mem::forget(__at2);
                        }
                    }
                }
            },
        );
    #[allow(
        unused_braces,
        unused_parens,
        for_loops_over_fallibles,
        clippy::blocks_in_conditions,
        clippy::let_and_return,
        clippy::let_unit_value,
        clippy::manual_flatten,
        clippy::needless_borrow,
        clippy::redundant_locals,
        clippy::unit_arg,
        clippy::useless_conversion,
        clippy::explicit_counter_loop
    )]
    ::streamflow::__private::input(&there)
        .stage(
            &__STAGE1,
            (__port0_1,),
            {
                move |mut __part, __out| {
                    for __chunk in __part.chunks() {
                        for __x in __chunk {
                            let text = __x;
                            let __at0 = ::streamflow::__private::At(
                                &__OPERATORS[0usize],
                            );
                            let __x = { text.parse().ok() };
                            ::core::mem::forget(__at0);
                            if let ::core::option::Option::Some(__x) = __x {
                                let __at2 = ::streamflow::__private::At(
                                    &__OPERATORS[2usize],
                                );
                                __out
                                    .0
                                    .push({
                                        let __l = __x;
                                        (&&&&::streamflow::__private::tag(&__l)).how().lift(__l)
                                    });
                                ::core::mem::forget(__at2);
                            }
                        }
                    }
                }
            },
        );
    let __n4 = __sink0.finish(&__OPERATORS[2usize], ::core::option::Option::None);
    ::streamflow::__private::declared_stream::<u32, _>(__n4)
}
