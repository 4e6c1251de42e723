"""An editor over pygls: opens, types, asks, and prints what the server said as JSON.

client.py SERVER FOLDER SCRIPT. SCRIPT is a list of steps; each prints one value:
  ["open", FILE, TEXT, WAIT] and ["change", FILE, TEXT, WAIT]: the diagnostics of WAIT's file once its codes are WAIT's
  ["wait", FILE, CODES]: the same without doing anything
  ["hover", FILE, LINE, COLUMN]: the text
  ["complete", FILE, LINE, COLUMN]: the labels
  ["fixes", FILE, LINE, KINDS]: of each quick fix of a line its title, its file, and the file's text with it
"""

import asyncio
import json
import pathlib
import sys

from lsprotocol import types
from pygls.lsp.client import LanguageClient
from pygls.workspace import TextDocument

server, folder, script = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), json.loads(sys.argv[3])
LIMIT = 40


def uri(file):
    return (folder / file).as_uri()


class Editor:
    def __init__(self):
        self.client = LanguageClient("test", "1")
        self.told = {}
        self.texts = {}
        self.news = asyncio.Condition()

        @self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        async def published(params):
            async with self.news:
                self.told[params.uri] = params.diagnostics
                self.news.notify_all()

    async def wait(self, file, codes):
        def is_so():
            return uri(file) in self.told and sorted(one.code for one in self.told[uri(file)]) == codes

        async with self.news:
            try:
                await asyncio.wait_for(self.news.wait_for(is_so), LIMIT / 2)
            except asyncio.TimeoutError:
                sys.exit(f"{file}: {self.told.get(uri(file))}")
        return [
            [one.code, one.range.start.line, one.range.start.character, one.range.end.character, int(one.severity), one.message]
            for one in self.told[uri(file)]
        ]

    def fixed(self, fix):
        (changed, edits), = fix.edit.changes.items()
        name = pathlib.Path(changed.removeprefix("file://")).relative_to(folder).as_posix()
        text = self.texts.get(name) or (folder / name).read_text()
        (edit,) = edits
        document = TextDocument(changed, source=text)
        start, end = (document.offset_at_position(at) for at in (edit.range.start, edit.range.end))
        return [fix.title, name, text[:start] + edit.new_text + text[end:], [one.code for one in fix.diagnostics]]

    async def step(self, deed, file, *rest):
        document = types.TextDocumentIdentifier(uri(file))
        if deed in ("open", "change"):
            self.texts[file] = rest[0]
        if deed == "fixes":
            line = types.Range(types.Position(rest[0], 0), types.Position(rest[0], 999))
            context = types.CodeActionContext(diagnostics=[], only=rest[1])
            answer = await self.client.text_document_code_action_async(types.CodeActionParams(document, line, context))
            return [self.fixed(one) for one in answer]
        if deed == "open":
            item = types.TextDocumentItem(uri(file), "yaml", 1, rest[0])
            self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
            return await self.wait(*rest[1])
        if deed == "change":
            versioned = types.VersionedTextDocumentIdentifier(version=2, uri=uri(file))
            change = types.TextDocumentContentChangeWholeDocument(rest[0])
            self.client.text_document_did_change(types.DidChangeTextDocumentParams(versioned, [change]))
            return await self.wait(*rest[1])
        if deed == "wait":
            return await self.wait(file, rest[0])
        position = types.Position(*rest)
        if deed == "hover":
            answer = await self.client.text_document_hover_async(types.HoverParams(document, position))
            return answer.contents.value if answer else None
        answer = await self.client.text_document_completion_async(types.CompletionParams(document, position))
        return [one.label for one in answer]

    async def run(self):
        await self.client.start_io(server, "lsp", cwd=str(folder))
        folders = [types.WorkspaceFolder(folder.as_uri(), "test")]
        params = types.InitializeParams(capabilities=types.ClientCapabilities(), workspace_folders=folders)
        answer = await asyncio.wait_for(self.client.initialize_async(params), LIMIT)
        print(json.dumps(answer.server_info.name))
        self.client.initialized(types.InitializedParams())
        for step in script:
            print(json.dumps(await asyncio.wait_for(self.step(*step), LIMIT)))
        await asyncio.wait_for(self.client.shutdown_async(None), LIMIT)
        self.client.exit(None)
        print(json.dumps(await asyncio.wait_for(self.client._server.wait(), LIMIT)))


asyncio.run(Editor().run())
