use super::*;

#[test]
fn what_can_be_done_is_offered_and_nothing_else() {
    let offered =
        |acts: Acts| say(&Reply::Notice(Box::new(Notice { acts: Some(acts), ..bare(State::Passed) })), Locale::En);
    let all = offered(acts("Unit"));
    let verbs = |sentence: &Sentence| {
        let buttons = sentence.buttons.iter().map(|button| (button.verb, button.label.clone()));
        buttons.chain(sentence.lists.iter().map(|list| (list.verb, list.placeholder.clone()))).collect::<Vec<_>>()
    };
    insta::assert_debug_snapshot!(verbs(&all), @r#"
    [
        (
            FailedJobs,
            "Retry failed jobs",
        ),
        (
            Whole,
            "Retry all",
        ),
        (
            Stop,
            "Stop",
        ),
        (
            TakeOver,
            "Take over",
        ),
        (
            From,
            "Retry from…",
        ),
        (
            Skip,
            "Skip…",
        ),
    ]
    "#);
    insta::assert_debug_snapshot!(all.lists[0].choices[..5], @r#"
    [
        ListChoice {
            label: "stage Unit",
            detail: "",
            value: "e-0",
        },
        ListChoice {
            label: "job Unit",
            detail: "Unit",
            value: "e-1",
        },
        ListChoice {
            label: "Unit",
            detail: "Unit › Unit",
            value: "e-2",
        },
        ListChoice {
            label: "matrix Unit",
            detail: "",
            value: "e-3",
        },
        ListChoice {
            label: "matrix child Unit",
            detail: "Unit",
            value: "e-4",
        },
    ]
    "#);
    let (from, skip) = (Vec::new(), Vec::new());
    let nothing = Acts { failed_jobs: false, whole: false, stop: false, take_over: false, from, skip, ..acts("") };
    assert_eq!(verbs(&offered(nothing)), Vec::new());
    let part = |id: &str, name: &str| Part { kind: Kind::Task, id: id.into(), name: name.into(), within: Vec::new() };
    let long = "e".repeat(101);
    let skip = vec![part("e-1", "a"), part("e-1", "b"), part("", "c"), part(&long, "d"), part("e-2", "\u{200b}")];
    let odd = offered(Acts { skip, from: Vec::new(), ..acts("") });
    let choices: Vec<_> =
        odd.lists[0].choices.iter().map(|choice| (choice.value.as_str(), choice.label.as_str())).collect();
    assert_eq!(choices, [("e-1", "a"), ("e-2", "e-2")]);
}
