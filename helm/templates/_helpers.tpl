{{- define "atlas.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}-atlas
{{- end }}

{{- define "atlas.labels" -}}
app.kubernetes.io/name: activation-atlas
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* The labels a selector may use: they never change. Takes {root, component}. */}}
{{- define "atlas.selector" -}}
app.kubernetes.io/name: activation-atlas
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "atlas.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "atlas.name" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- /* "true" where this release has its own two Redis. */}}
{{- define "atlas.ownRedis" -}}
{{- if and .Values.redis.enabled (not .Values.redis.existingSecret) }}true{{ end }}
{{- end }}

{{- define "atlas.redisEnvironment" -}}
{{- range $name, $key := dict "ATLAS_REDIS_URL" "brokerUrl" "ATLAS_CACHE_URL" "cacheUrl" }}
- name: {{ $name }}
  {{- if $.Values.redis.existingSecret }}
  valueFrom:
    secretKeyRef: {name: {{ $.Values.redis.existingSecret }}, key: {{ $key }}}
  {{- else if $.Values.redis.enabled }}
  value: redis://{{ include "atlas.name" $ }}-{{ trimSuffix "Url" $key }}:6379/0
  {{- else }}
  value: {{ index $.Values.redis $key | required (printf "redis.%s is needed while redis.enabled is false" $key) | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "atlas.storeEnvironment" -}}
- name: ATLAS_STORE_URL
  value: {{ .Values.store.url }}
{{- range $name, $value := dict "ATLAS_STORE_ENDPOINT" .Values.store.endpoint "ATLAS_STORE_PUBLIC_ENDPOINT" .Values.store.publicEndpoint "ATLAS_STORE_REGION" .Values.store.region }}
{{- with $value }}
- name: {{ $name }}
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if hasPrefix "http://" .Values.store.endpoint }}
- name: ATLAS_STORE_ALLOW_HTTP
  value: "true"
{{- end }}
{{- with .Values.store.existingSecret }}
{{- range $name, $key := dict "ATLAS_STORE_ACCESS_KEY_ID" "accessKeyId" "ATLAS_STORE_SECRET_ACCESS_KEY" "secretAccessKey" }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef: {name: {{ $.Values.store.existingSecret }}, key: {{ $key }}}
{{- end }}
{{- end }}
{{- end }}

{{- /* Who is let in besides keys, and how much of it each may have. */}}
{{- define "atlas.accessEnvironment" -}}
{{- with .Values.access.oidc }}
{{- if .issuer }}
{{- if not (and .audience .rules) }}
{{- fail "access.oidc.audience and access.oidc.rules are needed with an issuer" }}
{{- end }}
- name: ATLAS_OIDC_ISSUER
  value: {{ .issuer | quote }}
- name: ATLAS_OIDC_AUDIENCE
  value: {{ .audience | quote }}
- name: ATLAS_OIDC_RULES
  value: {{ .rules | toJson | quote }}
{{- with .keysUrl }}
- name: ATLAS_OIDC_KEYS_URL
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $most := .Values.access.limits }}
- name: ATLAS_{{ $name | snakecase | upper }}
  value: {{ $most | int64 | quote }}
{{- end }}
{{- end }}

{{- define "atlas.environment" -}}
{{ include "atlas.redisEnvironment" . | trim }}
{{ include "atlas.storeEnvironment" . | trim }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* What every pod of ours begins with. Takes {root, values}: those of its kind, which may say where it runs. */}}
{{- define "atlas.pod" -}}
serviceAccountName: {{ include "atlas.serviceAccount" .root }}
automountServiceAccountToken: false
# Kubernetes' own variables for services could otherwise pass for our settings.
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "atlas.podSecurity" 10001 | nindent 2 }}
{{- range $name := list "runtimeClassName" "priorityClassName" "nodeSelector" "tolerations" "affinity" }}
{{- with get $.values $name }}
{{ $name }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
volumes:
  {{- include "atlas.volumes" .root | nindent 2 }}
{{- end }}

{{- define "atlas.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "atlas.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "atlas.volumes" -}}
{{- if hasPrefix "file:" .Values.store.url }}
- name: data
  persistentVolumeClaim:
    claimName: {{ .Values.store.volume.existingClaim | default (printf "%s-data" (include "atlas.name" .)) }}
{{- end }}
- name: tmp
  emptyDir: {}
{{- with .Values.volumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "atlas.volumeMounts" -}}
{{- if hasPrefix "file:" .Values.store.url }}
- {name: data, mountPath: /data}
{{- end }}
- {name: tmp, mountPath: /tmp}
{{- with .Values.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* What a container of ours is given. Takes {root, values}. */}}
{{- define "atlas.container" -}}
{{- with .root.Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
resources:
  {{- toYaml .values.resources | nindent 2 }}
securityContext:
  {{- include "atlas.containerSecurity" .root | nindent 2 }}
volumeMounts:
  {{- include "atlas.volumeMounts" .root | nindent 2 }}
{{- end }}

{{- /* Queues of a kind of worker: without one for GPUs the others do their work. Takes {root, kind}. */}}
{{- define "atlas.queues" -}}
{{- if and (eq .kind "cpu") (not .root.Values.workers.gpu.enabled) }}cpu,gpu{{ else }}{{ .kind }}{{ end }}
{{- end }}
