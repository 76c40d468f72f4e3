//! What the service says when it refuses: the codes with their HTTP status and their text in the three languages
//! that BK-CI ships (bkci-api.md 3.2, 3.3, 6.3, 6.4, 8 and 15), and what the gateway says (3.4).
//!
//! The English and Chinese texts are the reference's where it gives them. It gives no Chinese for 404, 408, 415, 500 and
//! a wrong query type, and cuts the English of 2101340 and the Chinese of 2101366 short: there the words are this double's, and so is the
//! Japanese of a missing argument; the other Japanese follows the service's own catalogue. A client must not lean
//! on any of them (3.5). `data` of a business error is lost between the services (3.2): a code carries only a message.

use serde_json::{Value, json};

use super::codes::{CODES, GATEWAY_CODES};

/// The language of a user's messages (bkci-api.md 3.5): stored per user, `zh_CN` unless set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// `zh_CN`, the deployment's default.
    #[default]
    Chinese,
    /// `en_US`
    English,
    /// `ja_JP`
    Japanese,
}

/// One text in the three languages.
#[derive(Clone, Debug)]
pub(super) struct Texts {
    zh: String,
    en: String,
    ja: String,
}

impl Texts {
    pub(super) fn new(zh: &str, en: &str, ja: &str) -> Self {
        Self { zh: zh.into(), en: en.into(), ja: ja.into() }
    }

    fn same(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { zh: text.clone(), en: text.clone(), ja: text }
    }

    pub(super) fn say(&self, language: Language) -> &str {
        match language {
            Language::Chinese => &self.zh,
            Language::English => &self.en,
            Language::Japanese => &self.ja,
        }
    }

    /// Java's MessageFormat as far as these texts need it: `{0}`, `{1}` (bkci-api.md 15, last line).
    fn fill(mut self, arguments: &[&str]) -> Self {
        for text in [&mut self.zh, &mut self.en, &mut self.ja] {
            for (place, argument) in arguments.iter().enumerate() {
                *text = text.replace(&format!("{{{place}}}"), argument);
            }
        }
        self
    }
}

/// An answer that is not a success, in BK-CI's own envelope.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) http: u16,
    pub(super) status: u32,
    texts: Texts,
    data: Option<String>,
}

impl Failure {
    /// A business error by its code. A code that the table does not know is a mistake of the caller in this crate.
    pub(super) fn code(code: u32, arguments: &[&str]) -> Self {
        let (http, status, zh, en, ja) = CODES.iter().find(|row| row.1 == code).copied().unwrap_or((
            400,
            code,
            "(no such text)",
            "(no such text)",
            "(no such text)",
        ));
        Self { http, status, texts: Texts::new(zh, en, ja).fill(arguments), data: None }
    }

    /// Whether the table has this code.
    pub(super) fn knows(code: u32) -> bool {
        CODES.iter().any(|row| row.1 == code)
    }

    /// The same code under another HTTP status (stop answers 2101008 with 400: bkci-api.md 8).
    pub(super) fn with_http(mut self, http: u16) -> Self {
        self.http = http;
        self
    }

    /// bkci-api.md 3.3, first row: the text that names the right is dropped between the services.
    pub(super) fn forbidden() -> Self {
        let texts =
            Texts::new("你没有权限进行该操作", "You don't have permission to do so", "この操作を行う権限がありません");
        Self { http: 403, status: 403, texts, data: None }
    }

    /// bkci-api.md 2.2 point 3: the application may not use this project.
    pub(super) fn application_forbidden(application: &str, project: &str) -> Self {
        let data = format!(
            "Permission denied: apigwType[apigw-app],appCode[{application}],ProjectId[{project}] No project permission"
        );
        Self { data: Some(data), ..Self::forbidden() }
    }

    /// bkci-api.md 2.2 point 3: not translated.
    pub(super) fn unknown_project(project: &str) -> Self {
        let texts = Texts::same(format!("ProjectId [{project}] not find, please check it."));
        Self { http: 404, status: 404, texts, data: None }
    }

    /// bkci-api.md 3.3: a required text argument is missing.
    pub(super) fn missing_argument(name: &str) -> Self {
        let texts = Texts::new(
            "参数校验失败:request param {0} cannot be empty",
            "Parameter verification failed: request param {0} cannot be empty",
            "パラメータ検証に失敗しました:request param {0} cannot be empty",
        );
        Self { http: 400, status: 400, texts: texts.fill(&[name]), data: None }
    }

    /// bkci-api.md 3.3, 6.1: v4 cannot tell which build of which pipeline is meant. The braces really are there.
    pub(super) fn unpaired(what: &str) -> Self {
        let begins = ["参数校验失败", "Parameter verification failed", "パラメータ検証に失敗しました"];
        let [zh, en, ja] = begins.map(|begins| match begins.is_ascii() {
            true => format!("{begins}: {{0}} {what}"),
            false => format!("{begins}:{{0}} {what}"),
        });
        Self { http: 400, status: 400, texts: Texts::new(&zh, &en, &ja), data: None }
    }

    /// bkci-api.md 3.3: no such path in the service.
    pub(super) fn no_such_path() -> Self {
        let texts = Texts::new(
            "请求的资源不存在",
            "requested resource does not exist",
            "リクエストされたリソースが存在しません",
        );
        Self { http: 404, status: 404, texts, data: Some("HTTP 404 Not Found".into()) }
    }

    /// bkci-api.md 3.3: wrong method.
    pub(super) fn wrong_method() -> Self {
        let data = Some("HTTP 405 Method Not Allowed".into());
        Self { http: 405, status: 405, data, ..Self::unsupported_media_type() }
    }

    /// bkci-api.md 3.3: `page=abc`.
    pub(super) fn wrong_type() -> Self {
        let texts = Texts::new("查询参数类型错误", "query parameter type is incorrect", "検索パラメータタイプエラー");
        Self { http: 400, status: 400, texts, data: Some("HTTP 404 Not Found".into()) }
    }

    /// bkci-api.md 3.3: the body is no JSON. The reference gives no Chinese.
    pub(super) fn unreadable_body() -> Self {
        let texts = Texts::new("json参数错误", "Bad Parameters in json", "jsonパラメータエラー");
        Self { http: 400, status: 400, texts, data: Some("Unrecognized token".into()) }
    }

    /// bkci-api.md 3.3: the body is JSON of another shape.
    pub(super) fn wrong_body() -> Self {
        let texts = Texts::new("查询参数请求错误", "Query parameter request error", "検索パラメータのリクエストエラー");
        Self { http: 400, status: 400, texts, data: Some("Cannot deserialize value".into()) }
    }

    /// bkci-api.md 3.3: a field of the body is missing; which, is named in the text. The words are this double's where
    /// the reference has dots.
    pub(super) fn incomplete_body(field: &str) -> Self {
        let texts = Texts::same(
            "request body content parameter is incorrect. Tips: Please confirm whether the {0} meets the requirements",
        );
        Self { http: 400, status: 400, texts: texts.fill(&[field]), data: Some("missing property".into()) }
    }

    /// bkci-api.md 3.3: missing or wrong Content-Type.
    pub(super) fn unsupported_media_type() -> Self {
        let texts = Texts::new(
            "用户请求不合法，参数或方法错误，请咨询助手",
            "The user request is invalid and the parameter or method is incorrect. Please consult the assistant.",
            "ユーザーリクエストが不合法です。パラメータまたはメソッドが間違っています。アシスタントに相談してください",
        );
        Self { http: 415, status: 415, texts, data: Some("HTTP 415 Unsupported Media Type".into()) }
    }

    /// bkci-api.md 3.3: the openapi service waited 15 s for the service behind it.
    pub(super) fn timed_out() -> Self {
        let texts = Texts::new("请求超时", "request timed out", "リクエストタイムアウト");
        Self { http: 408, status: 408, texts, data: Some("request timed out".into()) }
    }

    /// bkci-api.md 3.3: an unexpected exception.
    pub(super) fn exception() -> Self {
        let texts = Texts::new(
            "访问后台数据失败，已通知产品、开发，请稍后重试",
            "Failed to access background data, product, development has been notified, please try again later",
            "バックグラウンドデータにアクセスできません。製品、開発に通知しました。しばらくして再試してください",
        );
        Self { http: 500, status: 500, texts, data: Some("java.lang.NullPointerException".into()) }
    }

    /// The body, in the reader's language.
    pub(super) fn body(&self, language: Language) -> Value {
        let mut body = json!({"status": self.status, "message": self.texts.say(language)});
        if let Some(data) = &self.data {
            body["data"] = json!(data);
        }
        body
    }
}

/// An error of the gateway itself (bkci-api.md 3.4).
#[derive(Clone, Debug)]
pub(super) struct GatewayFailure {
    pub(super) http: u16,
    pub(super) code: u32,
    name: Option<&'static str>,
    pub(super) message: String,
}

impl GatewayFailure {
    /// An error of the gateway by its code; one that the table does not know becomes 1650001.
    pub(super) fn of(code: u32, reason: Option<&str>) -> Self {
        let (http, code, name, text) = GATEWAY_CODES.iter().find(|row| row.1 == code).copied().unwrap_or((
            500,
            1650001,
            Some("INTERNAL_SERVER_ERROR"),
            "Internal Server Error",
        ));
        let message = match reason {
            Some(reason) => format!("{text} [reason=\"{reason}\"]"),
            None => text.into(),
        };
        Self { http, code, name, message }
    }

    /// The body, whose shape is not BK-CI's.
    pub(super) fn body(&self) -> Value {
        let mut body = json!({"code": self.code, "data": null, "message": self.message, "result": false});
        if let Some(name) = self.name {
            body["code_name"] = json!(name);
        }
        body
    }
}
