#[allow(clippy::type_complexity)]
fn called(lines: DStream<str>, y: u32) -> DStream<u32> {
    static __FUNCTION: ::streamflow::__private::Function = ::streamflow::__private::Function {
        name: "called",
        module: ::core::module_path!(),
        file: ::core::file!(),
    };
    #[allow(dead_code)]
    static __OPERATORS: [::streamflow::__private::Operator; 5usize] = [
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "filter_map",
            id: "result.filter_map",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "map",
            id: "result.map",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "filter_map",
            id: "result.filter_map#2",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "map",
            id: "result.map#2",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "map",
            id: "result.map#3",
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
            ::streamflow::__private::Fused {
                operator: &__OPERATORS[2usize],
                depth: 2,
            },
            ::streamflow::__private::Fused {
                operator: &__OPERATORS[3usize],
                depth: 3,
            },
            ::streamflow::__private::Fused {
                operator: &__OPERATORS[4usize],
                depth: 4,
            },
        ],
    };
    #[allow(unused_imports)]
    use ::streamflow::__private::{
        HowFirst as _, HowId as _, HowSecond as _, HowView as _, Views as _,
    };
    let __scope = ::streamflow::__private::Scope::enter(&__FUNCTION);
    let __sink0 = ::streamflow::__private::sink::Collect::new();
    __sink0.yields::<u32>();
    let __port0_0 = __sink0.port();
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
                #[allow(unused_variables)]
                let y = ::streamflow::__private::capture(&y);
                move |mut __part, __out| {
                    for __chunk in __part.chunks() {
                        for __x in __chunk {
                            let __at0 = ::streamflow::__private::At(
                                &__OPERATORS[0usize],
                            );
                            let __x = ::streamflow::__private::apply(__x, parse);
                            ::core::mem::forget(__at0);
                            if let ::core::option::Option::Some(__x) = __x {
                                let x = __x;
                                let __at1 = ::streamflow::__private::At(
                                    &__OPERATORS[1usize],
                                );
                                let __x = '__body: {
                                    if x > 10 {
                                        break '__body 10;
                                    }
                                    x
                                };
                                ::core::mem::forget(__at1);
                                let __at2 = ::streamflow::__private::At(
                                    &__OPERATORS[2usize],
                                );
                                let __x = ::streamflow::__private::apply(
                                    __x,
                                    |x| Some(x.checked_add(1)? + y),
                                );
                                ::core::mem::forget(__at2);
                                if let ::core::option::Option::Some(__x) = __x {
                                    let __at3 = ::streamflow::__private::At(
                                        &__OPERATORS[3usize],
                                    );
                                    let __x = ::streamflow::__private::apply(__x, |y| y + 1);
                                    ::core::mem::forget(__at3);
                                    let z = __x;
                                    let __at4 = ::streamflow::__private::At(
                                        &__OPERATORS[4usize],
                                    );
                                    let __x = { z + y };
                                    ::core::mem::forget(__at4);
                                    let __at4 = ::streamflow::__private::At(
                                        &__OPERATORS[4usize],
                                    );
                                    __out
                                        .0
                                        .push(
                                            ::streamflow::__private::declared::<
                                                u32,
                                            >({
                                                let __l = __x;
                                                (&&&&::streamflow::__private::tag(&__l)).how().lift(__l)
                                            }),
                                        );
                                    ::core::mem::forget(__at4);
                                }
                            }
                        }
                    }
                }
            },
        );
    let __n5 = __sink0.finish(&__OPERATORS[4usize]);
    __n5
}
