//! What can go wrong with HTTP.

base::errors! {
    /// The response does not parse.
    NOT_HTTP = "HTTP-01", "what came for {} is not an HTTP answer", "check whether a web server listens on that port";
    /// More than [`HEAD_LIMIT`](crate::Exchange::HEAD_LIMIT) bytes before the body.
    HEAD_TOO_LONG = "HTTP-02", "the web server's answer for {} has too many header lines",
        "let the server send less than 16 KiB of headers";
    /// 401.
    LOGIN_NEEDED = "HTTP-03", "the web server wants a user name and password for {}",
        "write http://user:password@server/path; only basic authentication is known";
    /// 403.
    FORBIDDEN = "HTTP-04", "the web server forbids access to {}",
        "check the file's permissions and the server's access rules";
    /// 404 and 410.
    NOT_FOUND = "HTTP-05", "the web server has no file {}", "check the path, capital letters included";
    /// 5xx.
    SERVER_FAILED = "HTTP-06", "the web server failed on {}", "look into the web server's error log";
    /// 429 and 503.
    SERVER_BUSY = "HTTP-07", "the web server is too busy for {}", "try again later, or use another server";
    /// Any other status.
    REFUSED = "HTTP-08", "the web server refuses {}", "look up the status number and the web server's log";
    /// A redirect to something that is no address.
    BAD_REDIRECT = "HTTP-09", "the web server redirects {} to an address that cannot be used",
        "correct the redirect on the server";
    /// More than [`REDIRECT_LIMIT`](crate::REDIRECT_LIMIT) redirects.
    TOO_MANY_REDIRECTS = "HTTP-10", "too many redirects, the last one to {}", "use the final address directly";
    /// A redirect to an address seen before.
    REDIRECT_LOOP = "HTTP-11", "the web server redirects in a circle through {}", "correct the redirects on the server";
    /// A transfer coding other than chunked.
    UNKNOWN_CODING = "HTTP-12", "the web server sends {} in an encoding that is not known here",
        "switch off compression of transfers on the server";
    /// The chunked coding is broken.
    BAD_CHUNK = "HTTP-13", "the web server's chunks for {} are malformed", "check proxies between here and the server";
    /// The connection was closed before the announced end.
    SHORT_BODY = "HTTP-14", "the connection was closed before the end of {}",
        "check the file's length and the server's log, then try again";
    /// The connection was closed before the answer.
    NO_ANSWER = "HTTP-15", "the web server closed the connection without an answer for {}",
        "check the server's log, then try again";
    /// No byte for too long.
    STALLED = "HTTP-16", "the web server stopped sending {}", "check the server and the cable, then try again";
    /// A partial answer that is not the part asked for, or of another file.
    BAD_RANGE = "HTTP-17", "the web server answers with the wrong part of {}",
        "check proxies between here and the server";
    /// Not an http address, or one without a host.
    UNSUPPORTED = "HTTP-18", "{} is not an address that can be fetched by HTTP", "use an address like http://server/path";
    /// Content-Length is not one number.
    BAD_LENGTH = "HTTP-19", "the web server announces no sensible length for {}",
        "check the server and proxies between";
}
