#[allow(clippy::type_complexity)]
fn views(lines: DStream<str>, more: DStream<str>) -> DStream<(String, u64)> {
    static __FUNCTION: ::streamflow::__private::Function = ::streamflow::__private::Function {
        name: "views",
        module: ::core::module_path!(),
        file: ::core::file!(),
    };
    #[allow(dead_code)]
    static __OPERATORS: [::streamflow::__private::Operator; 4usize] = [
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "filter",
            id: "said.filter",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "union",
            id: "said.union",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "filter",
            id: "result.filter",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "top_by",
            id: "result.top_by",
            line: ::core::line!(),
            column: ::core::column!(),
        },
    ];
    static __STAGE0: ::streamflow::__private::StagePlan = ::streamflow::__private::StagePlan {
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
    static __STAGE1: ::streamflow::__private::StagePlan = ::streamflow::__private::StagePlan {
        fused: &[
            ::streamflow::__private::Fused {
                operator: &__OPERATORS[1usize],
                depth: 0,
            },
        ],
    };
    static __STAGE2: ::streamflow::__private::StagePlan = ::streamflow::__private::StagePlan {
        fused: &[
            ::streamflow::__private::Fused {
                operator: &__OPERATORS[2usize],
                depth: 0,
            },
        ],
    };
    #[allow(unused_imports)]
    use ::streamflow::__private::{
        HowFirst as _, HowId as _, HowSecond as _, HowView as _, Views as _,
    };
    let __scope = ::streamflow::__private::Scope::enter(&__FUNCTION);
    let __sink0 = ::streamflow::__private::sink::CollectViews::<str>::new();
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
    ::streamflow::__private::input(&lines)
        .stage(
            &__STAGE0,
            (__port0_0,),
            {
                move |mut __part, __out| {
                    for __chunk in __part.chunks() {
                        for __x in __chunk {
                            if {
                                let __at0 = ::streamflow::__private::At(
                                    &__OPERATORS[0usize],
                                );
                                let __keep: bool = {
                                    let line = &__x;
                                    { !line.is_empty() }
                                };
                                ::core::mem::forget(__at0);
                                __keep
                            } {
                                let __at1 = ::streamflow::__private::At(
                                    &__OPERATORS[1usize],
                                );
                                __out.0.push(&__x);
                                ::core::mem::forget(__at1);
                            }
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
    ::streamflow::__private::input(&more)
        .stage(
            &__STAGE1,
            (__port0_1,),
            {
                move |mut __part, __out| {
                    for __chunk in __part.chunks() {
                        for __x in __chunk {
                            let __at1 = ::streamflow::__private::At(
                                &__OPERATORS[1usize],
                            );
                            __out.0.push(&__x);
                            ::core::mem::forget(__at1);
                        }
                    }
                }
            },
        );
    let __n3 = __sink0.finish(&__OPERATORS[1usize]);
    let __n5 = counted(::core::clone::Clone::clone(&__n3));
    let __sink1 = ::streamflow::__private::sink::TopBy::new();
    __sink1.yields::<(String, u64)>();
    let __port1_0 = __sink1.port();
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
    ::streamflow::__private::input(&__n5)
        .stage(
            &__STAGE2,
            (__port1_0,),
            {
                move |mut __part, __out| {
                    for __chunk in __part.chunks() {
                        for __x in __chunk {
                            if {
                                let __at2 = ::streamflow::__private::At(
                                    &__OPERATORS[2usize],
                                );
                                let __keep: bool = {
                                    let (_, n) = &__x;
                                    { *n > 1 }
                                };
                                ::core::mem::forget(__at2);
                                __keep
                            } {
                                let __at3 = ::streamflow::__private::At(
                                    &__OPERATORS[3usize],
                                );
                                __out
                                    .0
                                    .push({
                                        let __l = __x;
                                        (&&&&::streamflow::__private::tag(&__l)).how().lift(__l)
                                    });
                                ::core::mem::forget(__at3);
                            }
                        }
                    }
                }
            },
        );
    let __n7 = __sink1.finish(&__OPERATORS[3usize], 3, move |(_, n)| *n);
    ::streamflow::__private::declared_stream::<(String, u64), _>(__n7)
}
