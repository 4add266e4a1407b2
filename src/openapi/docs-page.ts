/**
 * The docs page as one HTML text: no file beside it, nothing from elsewhere. Its policy names the one script and the one style
 * sheet by their hashes, so that nothing else can run in it, whatever a description in the document says.
 */
import { script } from "./page/script.ts";
import { style } from "./page/style.ts";

export interface DocsPage {
  readonly html: string;
  /** The value of `content-security-policy`. */
  readonly policy: string;
}

/** `documentPath`: where the page reads the document from. `servers`: what "Try it" may call beside the page's own origin. */
export async function docsPage(documentPath: string, servers: readonly { readonly url: string }[]): Promise<DocsPage> {
  const origins = servers.flatMap(({ url }) => (URL.canParse(url) ? [new URL(url).origin] : []));
  const connect = ["'self'", ...new Set(origins)].join(" ");
  const policy = [
    "default-src 'none'",
    `script-src '${await hashOf(script)}'`,
    `style-src '${await hashOf(style)}'`,
    `connect-src ${connect}`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
  return { policy, html: page(documentPath) };
}

async function hashOf(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return `sha256-${btoa(String.fromCharCode(...digest))}`;
}

/** An attribute's value. */
function attribute(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}

function page(documentPath: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>API</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body data-document="${attribute(documentPath)}">
<a class="skip" href="#main">To the operations</a>
<div class="frame">
<nav aria-label="Contents">
<h1><span id="title">API</span><small id="version"></small></h1>
<p><a href="${attribute(documentPath)}">OpenAPI document</a></p>
<label for="search">Search (press /)</label>
<input id="search" type="search" autocomplete="off" spellcheck="false">
<small id="found" role="status"></small>
<label for="token">Bearer token for "Try it"</label>
<input id="token" type="password" autocomplete="off" spellcheck="false">
<ul id="contents"></ul>
</nav>
<main id="main" tabindex="-1"><p>Reading the document…</p><noscript><p>This page needs JavaScript; the OpenAPI document does not.</p></noscript></main>
</div>
<script>${script}</script>
</body>
</html>
`;
}
