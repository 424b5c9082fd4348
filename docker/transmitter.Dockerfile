# Edge transmitter: semantic encoder and CAT encoder of one link. No training code, no channel.
# Build arguments: docs/docker.md. Context: the root of the repository.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS dependencies
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ARG TORCH
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv --without-pip /venv
# Up to the end of this stage as in receiver.Dockerfile, so that both share the layer with torch.
COPY constraints.txt ./
RUN { grep -v '^torch==' constraints.txt; echo "${TORCH:-$(grep '^torch==' constraints.txt)}"; } > pins.txt \
 && python -m pip --python /venv/bin/python install -c pins.txt torch
COPY pyproject.toml ./
RUN touch README.md LICENSE \
 && python -m pip --python /venv/bin/python install -c pins.txt '.[transmitter,receiver]' \
 && rm /venv/bin/semcom

FROM ${BASE}
RUN groupadd --gid 10001 semcom && useradd --uid 10001 --gid semcom --no-create-home semcom
COPY --from=dependencies /venv /venv
WORKDIR /srv/semcom
RUN install -d -o semcom -g semcom /keys data codecs
COPY semcom /opt/semcom/semcom
COPY transmitters /opt/semcom/transmitters
ENV PATH=/venv/bin:$PATH PYTHONPATH=/opt/semcom PYTHONUNBUFFERED=1
RUN python -m compileall -q /opt/semcom
USER 10001:10001
EXPOSE 9100
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
  CMD ["python", "-m", "semcom.check", "http://127.0.0.1:9100/readyz"]
ENTRYPOINT ["python", "-P", "-m", "transmitters", "--config", "/etc/semcom/processes.yaml"]
