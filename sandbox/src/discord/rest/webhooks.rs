//! What may be done with an interaction's token after the initial response (`discord-rules.md` 1).

use super::interactions::{ANSWER_MS, TOKEN_MS, answer_message};
use super::{Answer, Call, Outcome, messages};
use crate::discord::refusal::{Form, Refusal};
use crate::discord::rules;
use crate::discord::schema::second_opinion_on_message;
use crate::discord::state::{EPHEMERAL, State};

pub(super) fn followup_form(call: &Call, form: &mut Form) {
    rules::messages::check_followup(call, form);
    if form.is_clean() {
        second_opinion_on_message(&call.body, "", form);
    }
}

/// The interaction of the path, answered and with a living token.
fn interaction(state: &State, call: &Call) -> Result<u64, Refusal> {
    if call.id("webhook_id") != state.bot.application {
        return Err(Refusal::unknown_webhook());
    }
    let id = state.interaction_by_token(call.text("webhook_token")).ok_or_else(Refusal::invalid_webhook_token)?;
    let seen = &state.interactions.get(&id).ok_or_else(Refusal::unknown_webhook)?.seen;
    let age_ms = state.now_ms() - seen.created_ms;
    match seen.acknowledged {
        _ if age_ms >= TOKEN_MS => Err(Refusal::invalid_webhook_token()),
        // An autocomplete has no followups (`discord-rules.md` 2).
        Some(acknowledged) if acknowledged.callback == 8 => Err(Refusal::unknown_webhook()),
        Some(_) => Ok(id),
        None if seen.failed.is_none() && age_ms < ANSWER_MS => Err(Refusal::nothing_answered_yet()),
        None => Err(Refusal::unknown_webhook()),
    }
}

/// The message of the path: the answer, or one that the interaction's own token made.
fn message(state: &State, call: &Call) -> Result<u64, Refusal> {
    let seen = &state.interactions.get(&interaction(state, call)?).ok_or_else(Refusal::unknown_webhook)?.seen;
    let wanted = if call.route.ends_with("/@original") { seen.answer } else { Some(call.id("message_id")) };
    let own = wanted.filter(|id| seen.answer == Some(*id) || seen.followups.contains(id));
    own.filter(|id| state.messages.contains_key(id)).ok_or_else(Refusal::unknown_message)
}

pub(super) fn get(state: &mut State, call: &Call) -> Outcome {
    let id = message(state, call)?;
    messages::answered(state, id)
}

pub(super) fn edit(state: &mut State, call: &Call) -> Outcome {
    let id = message(state, call)?;
    messages::change(state, id, call, &call.body, false)?;
    messages::answered(state, id)
}

pub(super) fn delete(state: &mut State, call: &Call) -> Outcome {
    let id = message(state, call)?;
    messages::remove(state, id);
    Ok(Answer::NoContent)
}

/// A further message. Right after a deferral it still fills in the waiting one, whose privacy stays (deprecated).
pub(super) fn follow_up(state: &mut State, call: &Call) -> Outcome {
    let id = interaction(state, call)?;
    let waiting = state.interactions.get(&id).and_then(|interaction| interaction.seen.answer);
    let waiting = waiting.filter(|answer| state.messages.get(answer).is_some_and(|message| message.thinking()));
    if let Some(waiting) = waiting {
        messages::change(state, waiting, call, &call.body, false)?;
        return messages::answered(state, waiting);
    }
    let private = call.body["flags"].as_u64().unwrap_or(0) & EPHEMERAL != 0;
    let message = answer_message(state, id, call, &call.body, private, 0)?;
    if let Some(interaction) = state.interactions.get_mut(&id) {
        interaction.seen.followups.push(message);
    }
    messages::answered(state, message)
}
