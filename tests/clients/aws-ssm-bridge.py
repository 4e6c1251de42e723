"""A ProxyCommand of ssh over PyPI's aws-ssm-bridge: standard input and output are the bytes of a session with the document
AWS-StartSSHSession. Argument: the instance."""

import asyncio
import os
import sys

from aws_ssm_bridge import SessionManager, configure_logging


async def upwards(session):
    loop = asyncio.get_running_loop()
    while chunk := await loop.run_in_executor(None, os.read, 0, 16384):
        await session.send(chunk)


async def downwards(output):
    async for chunk in output:
        at = 0
        while at < len(chunk):
            at += os.write(1, chunk[at:])


async def main():
    configure_logging("info")
    manager = await SessionManager.new(os.environ["AWS_REGION"])
    session = await manager.start_session(sys.argv[1], "AWS-StartSSHSession", {"portNumber": ["22"]})
    output = session.output()
    await session.wait_ready()
    both = [asyncio.create_task(upwards(session)), asyncio.create_task(downwards(output))]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    await session.terminate()
    # The thread that still reads standard input keeps nobody waiting.
    os._exit(0)


asyncio.run(main())
