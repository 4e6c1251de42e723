# The programs and nothing else: no shell, no certificates (the programs bring a list of authorities along and
# say when they use it), nothing to be patched but themselves.
#
#   scripts/build-static
#   docker build --tag pipeline-actions .
#   docker run --rm --env-file build.env pipeline-actions /make-ami
#
# For Graviton: docker build --platform linux/arm64 --build-arg TARGET=aarch64-unknown-linux-musl .
FROM scratch
ARG TARGET=x86_64-unknown-linux-musl
COPY build/dist/${TARGET}/deploy-app build/dist/${TARGET}/export-vars build/dist/${TARGET}/job-worker \
    build/dist/${TARGET}/make-ami build/dist/${TARGET}/package-template build/dist/${TARGET}/run-pipeline \
    build/dist/${TARGET}/signal-health /
COPY LICENSE-APACHE LICENSE-MIT THIRD-PARTY-NOTICES.md /licenses/
# Exports and plans are written where the caller mounts a folder.
WORKDIR /work
USER 65532:65532
