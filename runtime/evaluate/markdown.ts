/** What others wrote, as text in Markdown: no markup of it takes effect, HTML and links included, and it stays in its line. */
export function escapeMarkdown(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
      .replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, " ")
      .replace(/&/g, "&amp;")
      .replace(/</g, "&lt;")
      .replace(/>/g, "&gt;")
      .replace(/[\\`*_[\]|~#!@$]/g, "\\$&")
      // What GitHub makes a link of without any markup.
      .replace(/:(?=\/\/)/g, "\\:")
      .replace(/\bwww\./gi, (www) => `${www.slice(0, -1)}\\.`)
      .trim()
  );
}

/** What others wrote, as code in Markdown, between more backticks than it has itself. */
export function codeSpan(text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  const line = text.replace(/\s+/g, " ");
  return longest > 0 ? `${fence} ${line} ${fence}` : `${fence}${line}${fence}`;
}
