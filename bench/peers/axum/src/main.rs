//! axum under the `http` benchmark, as its documentation shows it: typed extractors, serde for JSON, garde for what types do not
//! say. One thread (tokio's current_thread runtime), since the servers of this benchmark have one core each.
use std::io::{Read, Write};
use std::os::fd::FromRawFd;
use std::os::unix::net::UnixStream;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use garde::Validate;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

#[derive(Serialize)]
struct User {
    id: i32,
    name: String,
    email: String,
}

#[derive(Deserialize, Validate)]
struct PageParameters {
    #[garde(range(min = 1, max = 1000))]
    size: i32,
    #[garde(range(min = 0, max = 1000))]
    from: i32,
}

#[derive(Serialize)]
struct Page {
    from: i32,
    users: &'static [User],
}

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Order {
    #[garde(dive)]
    customer: Customer,
    #[garde(length(min = 1, max = 50), dive)]
    items: Vec<Item>,
    #[garde(inner(length(chars, max = 200)))]
    #[serde(rename = "note")]
    _note: Option<String>,
    #[garde(skip)]
    express: bool,
}

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Customer {
    #[garde(length(chars, min = 1, max = 100))]
    #[serde(rename = "name")]
    _name: String,
    #[garde(email)]
    email: String,
    #[garde(dive)]
    address: Address,
}

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Address {
    #[garde(length(chars, min = 1, max = 200))]
    #[serde(rename = "street")]
    _street: String,
    #[garde(length(chars, min = 1, max = 100))]
    city: String,
    #[garde(pattern(r"^[0-9]{5}$"))]
    #[serde(rename = "zip")]
    _zip: String,
}

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Item {
    #[garde(pattern(r"^[A-Z]{2}-[0-9]{4}$"))]
    #[serde(rename = "sku")]
    _sku: String,
    #[garde(range(min = 1, max = 1000))]
    quantity: i64,
    #[garde(range(min = 0.0))]
    price: f64,
}

#[derive(Serialize)]
struct Receipt {
    status: &'static str,
    customer: String,
    city: String,
    lines: usize,
    quantity: i64,
    total: f64,
    currency: &'static str,
    express: bool,
}

/// What the pages are cut from: in memory already, as the rows of a cache would be.
static USERS: LazyLock<Vec<User>> = LazyLock::new(|| (0..2000).map(|row| find(1_000_000 + row)).collect());

fn find(id: i32) -> User {
    User { id, name: format!("User {id}"), email: format!("user{id}@example.com") }
}

async fn find_user(Path(id): Path<i32>) -> Json<User> {
    Json(find(id))
}

async fn list_users(Path(parameters): Path<PageParameters>) -> Result<Json<Page>, (StatusCode, String)> {
    check(&parameters)?;
    let PageParameters { size, from } = parameters;
    Ok(Json(Page { from, users: &USERS[from as usize..(from + size) as usize] }))
}

async fn accept_order(Json(order): Json<Order>) -> Result<Json<Receipt>, (StatusCode, String)> {
    check(&order)?;
    let lines = order.items.len();
    let quantity = order.items.iter().map(|item| item.quantity).sum();
    let total = order.items.iter().map(|item| item.quantity as f64 * item.price).sum();
    Ok(Json(Receipt {
        status: "accepted",
        customer: order.customer.email,
        city: order.customer.address.city,
        lines,
        quantity,
        total,
        currency: "EUR",
        express: order.express,
    }))
}

fn check<T: Validate<Context = ()>>(value: &T) -> Result<(), (StatusCode, String)> {
    value.validate().map_err(|report| (StatusCode::UNPROCESSABLE_ENTITY, report.to_string()))
}

fn main() -> std::io::Result<()> {
    LazyLock::force(&USERS);
    let app = Router::new()
        .route("/users/{id}", get(find_user))
        .route("/pages/{size}/{from}", get(list_users))
        .route("/orders", post(accept_order));
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        announce(listener.local_addr()?.port())?;
        axum::serve(listener.tap_io(|socket| _ = socket.set_nodelay(true)), app).await
    })
}

/// Tells the harness where this listens, over the channel that Node opens for a child (lines of JSON on a socket whose number is
/// in the environment), and ends with it: the same as `bench/child.ts` does for the others. Its use of CPU and memory the
/// harness reads from /proc.
fn announce(port: u16) -> std::io::Result<()> {
    let Some(channel) = std::env::var("NODE_CHANNEL_FD").ok().and_then(|text| text.parse().ok()) else {
        println!("ready: {{\"port\":{port}}} (started by hand; Ctrl-C ends it)");
        return Ok(());
    };
    // SAFETY: the harness opened this descriptor for this process, and nothing else here knows of it.
    let mut channel = unsafe { UnixStream::from_raw_fd(channel) };
    channel.set_nonblocking(false)?;
    writeln!(channel, "{{\"ready\":{{\"port\":{port}}}}}")?;
    std::thread::spawn(move || {
        let mut ignored = [0; 256];
        while matches!(channel.read(&mut ignored), Ok(count) if count > 0) {}
        std::process::exit(0);
    });
    Ok(())
}
