# Channel: fading and noise. No torch, no networks, no labels.
# Build arguments: docs/docker.md. Context: the root of the repository.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS dependencies
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv --without-pip /venv
COPY pyproject.toml constraints.txt ./
RUN touch README.md LICENSE \
 && python -m pip --python /venv/bin/python install -c constraints.txt '.[channel]' && rm /venv/bin/semcom

FROM ${BASE}
RUN groupadd --gid 10001 semcom && useradd --uid 10001 --gid semcom --no-create-home semcom
COPY --from=dependencies /venv /venv
WORKDIR /srv/semcom
RUN install -d -o semcom -g semcom /keys
COPY semcom /opt/semcom/semcom
COPY channel_sim /opt/semcom/channel_sim
ENV PATH=/venv/bin:$PATH PYTHONPATH=/opt/semcom PYTHONUNBUFFERED=1
RUN python -m compileall -q /opt/semcom
USER 10001:10001
EXPOSE 5551 5552 9100
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
  CMD ["python", "-m", "semcom.check", "http://127.0.0.1:9100/readyz"]
ENTRYPOINT ["python", "-P", "-m", "channel_sim", "--config", "/etc/semcom/processes.yaml"]
CMD ["--id", "channel"]
