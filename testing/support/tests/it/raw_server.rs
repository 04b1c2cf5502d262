//! The hand-written HTTP server, spoken to by hand.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use test_support::{RawAnswer, RawServer};

const SOON: Duration = Duration::from_secs(10);

fn exchange(server: &RawServer, request: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect(server.address())?;
    connection.write_all(request.as_bytes())?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn answers_in_order_and_records_what_came() -> io::Result<()> {
    let server = RawServer::start(vec![RawAnswer::bytes("HTTP/1.0 200 \n\nodd"), RawAnswer::json(503, "{}")])?;
    let request = "POST /a/b?c=d HTTP/1.1\r\nX-Api-Key: k\r\nContent-Length: 4\r\n\r\nbody";
    assert_eq!(exchange(&server, request)?, "HTTP/1.0 200 \n\nodd");
    for _ in 0..2 {
        let answer = exchange(&server, "GET / HTTP/1.1\r\n\r\n")?;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("\r\n\r\n{}"), "{answer}");
    }
    let seen = server.wait_for_requests(3, SOON)?;
    assert_eq!((seen[0].method.as_str(), seen[0].path(), seen[0].query()), ("POST", "/a/b", "c=d"));
    assert_eq!((seen[0].header("x-api-key"), seen[0].text().as_str()), (Some("k"), "body"));
    Ok(())
}

#[test]
fn one_connection_can_carry_several_requests() -> io::Result<()> {
    let server = RawServer::with(|request, index| match request.path() {
        "/last" => RawAnswer::http(200, &[], index.to_string()),
        _ => RawAnswer::keep_alive(204, &[("X-Odd", "yes")], ""),
    })?;
    let answer = exchange(&server, "GET /first HTTP/1.1\r\n\r\nGET /last HTTP/1.1\r\n\r\n")?;
    assert!(answer.contains("X-Odd: yes\r\n") && answer.ends_with("\r\n\r\n1"), "{answer}");
    Ok(())
}

#[test]
fn cuts_hangs_and_delays() -> io::Result<()> {
    let delay = Duration::from_millis(80);
    let answers = vec![RawAnswer::cut(), RawAnswer::http(200, &[], "late").after(delay), RawAnswer::hang()];
    let server = RawServer::start(answers)?;
    assert_eq!(exchange(&server, "GET / HTTP/1.1\r\n\r\n")?, "");
    let start = Instant::now();
    assert!(exchange(&server, "GET / HTTP/1.1\r\n\r\n")?.ends_with("late"));
    assert!(start.elapsed() >= delay);

    let mut hanging = TcpStream::connect(server.address())?;
    hanging.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
    server.wait_for_requests(3, SOON)?;
    hanging.set_read_timeout(Some(Duration::from_millis(50)))?;
    let error = hanging.read(&mut [0]).expect_err("a hanging answer has no bytes");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    drop(server);
    hanging.set_read_timeout(Some(SOON))?;
    assert_eq!(hanging.read(&mut [0])?, 0, "the server's end closes what hangs");
    Ok(())
}

#[test]
fn silence_can_be_shown() -> io::Result<()> {
    let server = RawServer::start(vec![])?;
    let error = server.wait_for_requests(1, Duration::from_millis(50)).expect_err("nobody asked");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    Ok(())
}
