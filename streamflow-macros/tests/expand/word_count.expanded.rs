#[allow(clippy::type_complexity)]
fn word_count(lines: DStream<str>, min: usize) -> DStream<(String, u64)> {
    static __FUNCTION: ::streamflow::__private::Function = ::streamflow::__private::Function {
        name: "word_count",
        module: ::core::module_path!(),
        file: ::core::file!(),
    };
    #[allow(dead_code)]
    static __OPERATORS: [::streamflow::__private::Operator; 4usize] = [
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "flat_map",
            id: "result.flat_map",
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
            name: "map",
            id: "result.map",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "reduce_by_key",
            id: "result.reduce_by_key",
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
        ],
    };
    #[allow(unused_imports)]
    use ::streamflow::__private::{
        HowFirst as _, HowId as _, HowSecond as _, HowView as _, Views as _,
    };
    let __scope = ::streamflow::__private::Scope::enter(&__FUNCTION);
    let __sink0 = ::streamflow::__private::sink::ReduceByKey::new();
    __sink0.yields::<(String, u64)>();
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
                let min = ::streamflow::__private::capture(&min);
                move |mut __part, __out| {
                    for __chunk in __part.chunks() {
                        for __x in __chunk {
                            let line = __x;
                            let __at0 = ::streamflow::__private::At(
                                &__OPERATORS[0usize],
                            );
                            for __x in { line.split(' ') } {
                                if {
                                    let __at1 = ::streamflow::__private::At(
                                        &__OPERATORS[1usize],
                                    );
                                    let __keep: bool = {
                                        let word = &__x;
                                        { word.len() >= min }
                                    };
                                    ::core::mem::forget(__at1);
                                    __keep
                                } {
                                    let word = __x;
                                    let __at2 = ::streamflow::__private::At(
                                        &__OPERATORS[2usize],
                                    );
                                    let __x = { (word, 1) };
                                    ::core::mem::forget(__at2);
                                    let (__k, __v) = ::streamflow::__private::pair_of::reduce_by_key(
                                        __x,
                                    );
                                    let __at3 = ::streamflow::__private::At(
                                        &__OPERATORS[3usize],
                                    );
                                    __out
                                        .0
                                        .push(
                                            {
                                                let __l = __k;
                                                (&&&&::streamflow::__private::tag(&__l)).how().lift(__l)
                                            },
                                            {
                                                let __l = __v;
                                                (&&&&::streamflow::__private::tag(&__l)).how().lift(__l)
                                            },
                                        );
                                    ::core::mem::forget(__at3);
                                }
                            }
                            ::core::mem::forget(__at0);
                        }
                    }
                }
            },
        );
    let __n4 = __sink0
        .finish(&__OPERATORS[3usize], move |a, b| a + b, ::core::option::Option::None);
    ::streamflow::__private::declared_stream::<(String, u64), _>(__n4)
}
