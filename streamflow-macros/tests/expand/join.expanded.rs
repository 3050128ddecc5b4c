#[allow(clippy::type_complexity)]
fn join(
    clicks: DStream<(u32, String)>,
    users: DStream<User>,
    names: StaticTable<u32, String>,
) -> DStream<(u32, (String, User))> {
    static __FUNCTION: ::streamflow::__private::Function = ::streamflow::__private::Function {
        name: "join",
        module: ::core::module_path!(),
        file: ::core::file!(),
    };
    #[allow(dead_code)]
    static __OPERATORS: [::streamflow::__private::Operator; 4usize] = [
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "left_outer_join",
            id: "named.left_outer_join",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "map_values",
            id: "named.map_values",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "key_by",
            id: "result.key_by",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "join",
            id: "result.join",
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
    let __table2 = ::streamflow::__private::capture(&names);
    let __sink0 = ::streamflow::__private::sink::Join::new();
    __sink0.yields::<(u32, (String, User))>();
    let __port0_0 = __sink0.left();
    let __port0_1 = __sink0.right();
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
    ::streamflow::__private::input(&clicks)
        .stage(
            &__STAGE0,
            (__port0_0,),
            {
                let __table2 = ::streamflow::__private::capture(&__table2);
                move |mut __part, __out| {
                    for __chunk in __part.chunks() {
                        for __x in __chunk {
                            let (__k, __v) = ::streamflow::__private::pair_of::left_outer_join(
                                __x,
                            );
                            let __at0 = ::streamflow::__private::At(
                                &__OPERATORS[0usize],
                            );
                            let __rows = __table2
                                .rows(
                                    &(&&&&::streamflow::__private::tag(&__k)).how().find(&__k),
                                );
                            for __x in ::streamflow::__private::static_left_outer_join(
                                __rows,
                                __k,
                                __v,
                            ) {
                                let (__k, __v) = ::streamflow::__private::pair_of::map_values(
                                    __x,
                                );
                                let (page, name) = __v;
                                let __at1 = ::streamflow::__private::At(
                                    &__OPERATORS[1usize],
                                );
                                let __v = { format!("{page} {name:?}") };
                                ::core::mem::forget(__at1);
                                let __x = (__k, __v);
                                let (__k, __v) = ::streamflow::__private::pair_of::join(
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
                            ::core::mem::forget(__at0);
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
    ::streamflow::__private::input(&users)
        .stage(
            &__STAGE1,
            (__port0_1,),
            {
                move |mut __part, __out| {
                    for __chunk in __part.chunks() {
                        for __x in __chunk {
                            let __at2 = ::streamflow::__private::At(
                                &__OPERATORS[2usize],
                            );
                            let __k = {
                                let user = &__x;
                                { user.id }
                            };
                            ::core::mem::forget(__at2);
                            let __x = (__k, __x);
                            let (__k, __v) = ::streamflow::__private::pair_of::join(__x);
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
                }
            },
        );
    let __n5 = __sink0.finish(&__OPERATORS[3usize], ::core::option::Option::Some(4));
    ::streamflow::__private::declared_stream::<(u32, (String, User)), _>(__n5)
}
